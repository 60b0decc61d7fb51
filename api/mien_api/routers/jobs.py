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


@router.delete("/jobs/{job_id}")
async def cancel_job(job_id: UUID, caller: AnyCaller, handlers: UsesHandlers) -> JobBody:
    """Cancel a job and look at it: what is being made for it is thrown away. A second time changes nothing.

    A job that was completed or has failed stays as it is: 409 job_already_ended.
    """
    return job_body(await handlers.cancel(caller, str(job_id)))
