"""Jobs: the same for all applications."""

from uuid import UUID

from fastapi import APIRouter

from mien_api.routers.dependencies import AnyCaller, UsesHandlers
from mien_api.schemas import JobBody, job_body

router = APIRouter(tags=["Jobs"])


@router.get("/jobs/{job_id}")
async def get_job(job_id: UUID, caller: AnyCaller, handlers: UsesHandlers) -> JobBody:
    """Look at a job: its state, its steps, and where its time went."""
    return job_body(await handlers.job(caller, str(job_id)))
