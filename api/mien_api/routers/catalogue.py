"""What a problem's type points at."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from mien_api.contract.catalogue import PATH
from mien_api.contract.pages import html

router = APIRouter(tags=["Platform"])


@router.get(PATH, response_class=HTMLResponse, include_in_schema=False)
async def problems() -> HTMLResponse:
    """Show every code: its status, what it means, what to do."""
    # it changes with the platform's version only
    return HTMLResponse(html(), headers={"Cache-Control": "public, max-age=3600"})
