"""Jobs: the same for all applications."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from mien_api.event_stream import EventStream
from mien_api.job_feed import JobFeed, Watch
from mien_api.routers.dependencies import JobCaller, UsesHandlers, anonymous_address
from mien_api.schemas import JobBody, job_body
from mien_api.server_sent_events import resume_after
from mien_core.model.platform import JobStatus

router = APIRouter(tags=["Jobs"])

# each event of the stream, as it is parsed
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "the step's seq; what Last-Event-ID takes"},
        "event": {"type": "string", "enum": [status.value for status in JobStatus]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobBody"},
        },
        "retry": {"type": "integer", "description": "milliseconds until a client should come back"},
    },
}
_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The job's steps.", "content": {"text/event-stream": {"itemSchema": _EVENT}}},
    204: {"description": "The job has ended, and Last-Event-ID is its end: there is nothing to come."},
}


async def _watch(request: Request, job_id: UUID, caller: JobCaller) -> AsyncIterator[Watch]:
    feed: JobFeed = request.app.state.job_feed
    with feed.watching(str(job_id), caller, anonymous_address(request)) as watch:
        yield watch


@router.get("/jobs/{job_id}")
async def get_job(job_id: UUID, caller: JobCaller, handlers: UsesHandlers) -> JobBody:
    """Look at a job: its state, its steps, and where its time went."""
    return job_body(await handlers.job(caller, str(job_id)))


@router.delete("/jobs/{job_id}")
async def cancel_job(job_id: UUID, caller: JobCaller, handlers: UsesHandlers) -> JobBody:
    """Cancel a job and look at it: what is being made for it is thrown away. A second time changes nothing.

    A job that was completed or has failed stays as it is: 409 job_already_ended.
    """
    return job_body(await handlers.cancel(caller, str(job_id)))


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventStream,
    status_code=200,
    responses=_STREAMED,
)
async def stream_job(
    job_id: UUID,
    caller: JobCaller,
    handlers: UsesHandlers,
    watch: Annotated[Watch, Depends(_watch)],
    last_event_id: Annotated[str | None, Header(description="the last event seen; what came after it follows")] = None,
) -> Response:
    """Follow a job as server-sent events, one for each of its steps, until its end.

    `id` is the step's seq, `event` its status (created, processing, completed, failed, cancelled), and `data` the job
    as GET /jobs/{id} showed it then.
    """
    history = await handlers.job(caller, str(job_id))
    after = resume_after(last_event_id, history.seq)
    if history.job.status.ended and after == history.seq:
        # this, and nothing else short of an error, makes an EventSource stop coming back
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    watch.begin(history, after)
    return EventStream(watch)
