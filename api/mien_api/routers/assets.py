"""GlamAI's overlays for AR."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from mien_api.assets_handlers import AssetHandlers
from mien_api.assets_schemas import AssetsBody, assets_body
from mien_api.routers.dependencies import GlamCaller, handlers_of

router = APIRouter(tags=["GlamAI"])


async def _asset_handlers(request: Request) -> AssetHandlers:
    handlers = handlers_of(request)
    return AssetHandlers(handlers.object_store, handlers.download_expires)


UsesAssets = Annotated[AssetHandlers, Depends(_asset_handlers)]


@router.get("/assets")
async def list_assets(_caller: GlamCaller, handlers: UsesAssets) -> AssetsBody:
    """List all overlays, with presigned URLs of their pictures."""
    return assets_body(await handlers.overlays(None), handlers.expires)


@router.get("/assets/{category}")
async def list_assets_of_category(
    category: Annotated[str, Path(description="lipstick, eyeshadow or blush", examples=["lipstick"])],
    _caller: GlamCaller,
    handlers: UsesAssets,
) -> AssetsBody:
    """List the overlays of a category."""
    return assets_body(await handlers.overlays(category), handlers.expires)
