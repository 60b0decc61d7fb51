"""Runs of retention, for the operator: asked for, looked at, approved, stopped."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query, Response

from mien_api.answers import private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.retention_handlers import RetentionHandlers
from mien_api.retention_schemas import (
    Name,
    NewRetentionRunBody,
    RetentionItemsPage,
    RetentionRunBody,
    RetentionRunsPage,
    StopRetentionRunBody,
    items_page,
    run_body,
    runs_page,
)
from mien_api.routers.dependencies import OperatorCaller, UsesHandlers
from mien_api.routers.internal import PREFIX, operators_router

router = operators_router()

_NOT_PROPOSED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "It is no proposal, or one that has expired."}
}


async def _retention_handlers(handlers: UsesHandlers) -> RetentionHandlers:
    return RetentionHandlers(handlers.database)


UsesRetention = Annotated[RetentionHandlers, Depends(_retention_handlers)]


@router.post("/retention/runs", status_code=HTTPStatus.ACCEPTED, response_model=RetentionRunBody)
async def ask_for_retention_run(
    body: NewRetentionRunBody, _caller: OperatorCaller, handlers: UsesRetention
) -> Response:
    """Ask for a run of retention: what is due now is listed, and goes as its mode says. Location is the run.

    Asked for again by its id it is the run that it was, whatever has become of it.
    """
    run = await handlers.ask(body.request)
    headers = {"Location": f"{PREFIX}/retention/runs/{run.id}", "Retry-After": "1"}
    return private_json(run_body(run), HTTPStatus.ACCEPTED, headers)


@router.get("/retention/runs", response_model=RetentionRunsPage)
async def list_retention_runs(
    _caller: OperatorCaller,
    handlers: UsesRetention,
    policy_id: Annotated[Name, Query(alias="policyId", description="whose runs", examples=["mien-photos"])],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a policy's runs, newest first."""
    return private_json(runs_page(await handlers.runs(policy_id, cursor=cursor, limit=limit)))


@router.get("/retention/runs/{run_id}", response_model=RetentionRunBody)
async def get_retention_run(run_id: UUID, _caller: OperatorCaller, handlers: UsesRetention) -> Response:
    """Look at a run: its state, and what came of each of its rules."""
    return private_json(run_body(await handlers.run(str(run_id))))


@router.get("/retention/runs/{run_id}/items", response_model=RetentionItemsPage)
async def list_retention_items(
    run_id: UUID,
    _caller: OperatorCaller,
    handlers: UsesRetention,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a run's list: exactly what goes, or went, and what became of each thing on it."""
    return private_json(items_page(*await handlers.items(str(run_id), cursor=cursor, limit=limit)))


@router.post("/retention/runs/{run_id}/approve", response_model=RetentionRunBody, responses=_NOT_PROPOSED)
async def approve_retention_run(run_id: UUID, _caller: OperatorCaller, handlers: UsesRetention) -> Response:
    """Approve a proposal: what is on its list goes. A second time changes nothing."""
    return private_json(run_body(await handlers.approve(str(run_id))))


@router.post("/retention/runs/{run_id}/stop", response_model=RetentionRunBody)
async def stop_retention_run(
    run_id: UUID, body: StopRetentionRunBody, _caller: OperatorCaller, handlers: UsesRetention
) -> Response:
    """Stop a run: what is gone is gone, and nothing more goes. One that has ended stays as it ended."""
    return private_json(run_body(await handlers.stop(str(run_id), body.reason)))
