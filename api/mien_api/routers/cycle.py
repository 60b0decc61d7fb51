"""Glow Cycle: the journal, the log of periods and the skin diary."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from mien_api.answers import PRIVATE, private_json
from mien_api.cursors import DEFAULT_LIMIT, Cursor, Limit
from mien_api.cycle_handlers import CycleHandlers, Shown
from mien_api.cycle_schemas import (
    JournalEntryBody,
    JournalFields,
    JournalPage,
    NewJournalEntryBody,
    NewPeriodBody,
    NewScanBody,
    PeriodBody,
    PeriodPage,
    ScanBody,
    ScanPage,
    diary_metrics,
    entry_body,
    entry_etag,
    journal_page,
    period_body,
    period_page,
    scan_body,
    scan_page,
)
from mien_api.days import Day
from mien_api.etags import IfMatch, IfNoneMatch, is_current, versions_allowed
from mien_api.routers.dependencies import CycleCaller, handlers_of
from mien_api.schemas import UserId
from mien_core.model.cycle import Days, JournalEntry
from mien_core.model.texts import Label

router = APIRouter(tags=["Glow Cycle"])

_ETAG: Final = {"headers": {"ETag": {"schema": {"type": "string"}}}}
_CREATED: Final[dict[int | str, dict[str, Any]]] = {201: _ETAG}
_READ: Final[dict[int | str, dict[str, Any]]] = {200: _ETAG, 304: {"description": "You have it: If-None-Match holds."}}
_WRITTEN: Final[dict[int | str, dict[str, Any]]] = {200: _ETAG, 412: {"description": "Somebody wrote since."}}
_REMOVED: Final[dict[int | str, dict[str, Any]]] = {412: {"description": "Somebody wrote since."}}
_REPLACED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": PeriodBody, "description": "The day was replaced."}}


def _diaries(request: Request) -> CycleHandlers:
    """Called and not depended on: each dependency costs a short request as much as an index's look-up."""
    return CycleHandlers(handlers_of(request).database)


async def _days(
    first: Annotated[Day | None, Query(alias="from")] = None, last: Annotated[Day | None, Query(alias="to")] = None
) -> Days:
    return Days(first, last)


OfDays = Annotated[Days, Depends(_days)]


@router.post("/journal", status_code=HTTPStatus.CREATED, response_model=JournalEntryBody, responses=_CREATED)
async def write_entry(body: NewJournalEntryBody, caller: CycleCaller, request: Request) -> Response:
    """Write a journal entry."""
    shown = await _diaries(request).write_entry(caller, body.user_id, body.content)
    return _entry(shown, HTTPStatus.CREATED, {"Location": f"/journal/{shown.thing.id}"})


@router.get("/journal/{entry_id}", response_model=JournalEntryBody, responses=_READ)
async def get_entry(
    entry_id: UUID, caller: CycleCaller, request: Request, if_none_match: IfNoneMatch = None
) -> Response:
    """Read an entry."""
    shown = await _diaries(request).entry(caller, str(entry_id))
    etag = entry_etag(shown)
    if is_current(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, **PRIVATE})
    return _entry(shown)


@router.put("/journal/{entry_id}", response_model=JournalEntryBody, responses=_WRITTEN)
async def rewrite_entry(
    entry_id: UUID, body: JournalFields, caller: CycleCaller, request: Request, if_match: IfMatch = None
) -> Response:
    """Write an entry anew: all of it, so what is left out is gone. Whose it is doesn't change."""
    return _entry(
        await _diaries(request).rewrite_entry(caller, str(entry_id), body.content, versions_allowed(if_match))
    )


@router.delete("/journal/{entry_id}", status_code=HTTPStatus.NO_CONTENT, responses=_REMOVED)
async def remove_entry(entry_id: UUID, caller: CycleCaller, request: Request, if_match: IfMatch = None) -> None:
    """Delete an entry."""
    await _diaries(request).remove_entry(caller, str(entry_id), versions_allowed(if_match))


@router.get("/journal/user/{user_id}", response_model=JournalPage)
async def list_entries(
    *,
    user_id: UserId,
    caller: CycleCaller,
    request: Request,
    days: OfDays,
    tag: Label | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a user's journal, newest first."""
    return private_json(
        journal_page(await _diaries(request).journal(caller, user_id, days=days, tag=tag, cursor=cursor, limit=limit))
    )


@router.post("/period", status_code=HTTPStatus.CREATED, response_model=PeriodBody, responses=_REPLACED)
async def log_period(body: NewPeriodBody, caller: CycleCaller, request: Request) -> Response:
    """Log a day of bleeding, or replace what was logged of it."""
    period, is_new = await _diaries(request).log_period(
        caller,
        body.user_id,
        day=body.date,
        cycle_length=body.cycle_length,
        flow=body.flow,
        symptoms=body.symptoms,
    )
    return private_json(period_body(period), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@router.delete("/period/{period_id}", status_code=HTTPStatus.NO_CONTENT)
async def remove_period(period_id: UUID, caller: CycleCaller, request: Request) -> None:
    """Take a day out of the log."""
    await _diaries(request).remove_period(caller, str(period_id))


@router.get("/period/user/{user_id}", response_model=PeriodPage)
async def list_periods(
    *,
    user_id: UserId,
    caller: CycleCaller,
    request: Request,
    days: OfDays,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a user's log of periods, newest first."""
    return private_json(
        period_page(await _diaries(request).periods(caller, user_id, days=days, cursor=cursor, limit=limit))
    )


@router.post("/skin", status_code=HTTPStatus.CREATED, response_model=ScanBody)
async def add_scan(body: NewScanBody, caller: CycleCaller, request: Request) -> Response:
    """Write a line into the skin diary."""
    shown = await _diaries(request).add_scan(
        caller, body.user_id, day=body.date, metrics=diary_metrics(body.metrics), cycle_day=body.cycle_day
    )
    return private_json(scan_body(shown), HTTPStatus.CREATED)


@router.delete("/skin/{scan_id}", status_code=HTTPStatus.NO_CONTENT)
async def remove_scan(scan_id: UUID, caller: CycleCaller, request: Request) -> None:
    """Take a line out of the skin diary."""
    await _diaries(request).remove_scan(caller, str(scan_id))


@router.get("/skin/user/{user_id}", response_model=ScanPage)
async def list_scans(
    *,
    user_id: UserId,
    caller: CycleCaller,
    request: Request,
    days: OfDays,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Read a user's skin diary, newest first."""
    return private_json(
        scan_page(await _diaries(request).scans(caller, user_id, days=days, cursor=cursor, limit=limit))
    )


def _entry(
    shown: Shown[JournalEntry], status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return private_json(entry_body(shown), status, {"ETag": entry_etag(shown), **(headers or {})})
