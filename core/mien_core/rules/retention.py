"""What is due, when a run asks first, and how it goes on from one state to the next."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mien_core.errors import Conflict
from mien_core.model.data_classes import DataClass
from mien_core.model.objects import StoredObject
from mien_core.model.retention import (
    ItemState,
    Judged,
    Place,
    RetentionRule,
    RuleCounts,
    Run,
    RunMode,
    RunState,
    Store,
)

# Why a run is where it is.
TOO_MANY: Final = "too_many"
APPROVAL_REQUIRED: Final = "approval_required"
EXPIRED: Final = "proposal_expired"

# Where a class's objects lie: what their keys begin with.
PREFIXES: Final[Mapping[DataClass, tuple[str, ...]]] = {
    DataClass.PHOTOS: ("uploads/",),
    DataClass.DERIVED_IMAGES: ("uploads/", "tryons/", "posters/"),
}
# A hold of what an object belongs to keeps the object, too.
HELD_WITH: Final[Mapping[DataClass, tuple[DataClass, ...]]] = {
    DataClass.PHOTOS: (DataClass.PHOTOS, DataClass.TRYON_SESSIONS),
    DataClass.DERIVED_IMAGES: (
        DataClass.DERIVED_IMAGES,
        DataClass.ANALYSES,
        DataClass.TRYON_SESSIONS,
        DataClass.POSTERS,
    ),
}
_ID: Final = r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_PHOTO: Final = re.compile(rf"uploads/{_ID}/(original|photo)")
_OF_UPLOAD: Final = re.compile(rf"uploads/{_ID}/.+")
_OF_JOB: Final = re.compile(rf"(tryons|posters)/{_ID}\..+")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an object is: an upload's or a job's; exactly one of both."""

    data_class: DataClass
    upload_id: str | None = None
    job_id: str | None = None


def owner_of(key: str) -> Owner | None:
    """Tell by its key what an object is; None for one that nobody's retention is about."""
    if found := _PHOTO.fullmatch(key):
        return Owner(DataClass.PHOTOS, upload_id=found["id"])
    if found := _OF_UPLOAD.fullmatch(key):
        return Owner(DataClass.DERIVED_IMAGES, upload_id=found["id"])
    if found := _OF_JOB.fullmatch(key):
        return Owner(DataClass.DERIVED_IMAGES, job_id=found["id"])
    return None


def of_class(data_class: DataClass, objects: Sequence[StoredObject]) -> tuple[StoredObject, ...]:
    """Those of the objects that are of a class."""
    return tuple(one for one in objects if (owner := owner_of(one.key)) and owner.data_class is data_class)


def due_before(rule: RetentionRule, as_of: datetime) -> datetime:
    """The moment before which something was made that is due; what is older than the calendar is never due."""
    try:
        return as_of - rule.ttl - rule.grace
    except OverflowError:
        return datetime.min.replace(tzinfo=as_of.tzinfo)


def parts_of(rule: RetentionRule, tables: int) -> int:
    """How many parts a rule is listed in: by prefixes where it is about objects, else by tables."""
    return len(PREFIXES[rule.data_class]) if rule.store is Store.S3 else tables


def is_over(counts: RuleCounts, max_percent: int) -> bool:
    """Tell whether more of a class would go than may without asking."""
    return counts.listed * 100 > max_percent * counts.total


def over_limit(run: Run) -> list[RetentionRule]:
    """The rules of a run by which too much would go."""
    pairs = zip(run.request.rules, run.counts, strict=True)
    return [rule for rule, counts in pairs if is_over(counts, run.request.limits.max_percent)]


def room(run: Run) -> int:
    """How many more things may come onto the list."""
    return max(0, run.request.limits.max_deletes - run.totals.listed)


def after_listing(run: Run, now: datetime) -> Run:
    """The run once everything is on its list: what is on it goes, waits for an approval, or was only to be known."""
    listed = replace(run, listed_at=now, place=Place())
    if run.request.mode is RunMode.DRY_RUN or run.totals.listed == 0:
        return replace(listed, state=RunState.DONE, ended_at=now)
    too_many = bool(over_limit(run))
    if run.request.mode is RunMode.ENFORCE and not too_many:
        return replace(listed, state=RunState.APPROVED)
    reason = TOO_MANY if too_many else APPROVAL_REQUIRED
    expires_at = now + run.request.proposal_ttl
    return replace(listed, state=RunState.PROPOSED, reason=reason, expires_at=expires_at)


def approved(run: Run, now: datetime) -> Run:
    """The run with somebody's consent; a second time changes nothing.

    Raises:
        Conflict: retention_run_not_proposed, retention_proposal_expired.
    """
    if run.state in {RunState.APPROVED, RunState.DELETING} or (run.state is RunState.DONE and run.totals.deleted):
        return run
    if run.state is not RunState.PROPOSED:
        detail = f"The run is {run.state}; only one that is proposed can be approved. Wait for it, or for the next one."
        raise Conflict("retention_run_not_proposed", detail)
    if is_expired(run, now):
        detail = "The proposal has expired: what it lists may not be what is due now. Approve the next run's."
        raise Conflict("retention_proposal_expired", detail)
    return replace(run, state=RunState.APPROVED, place=Place())


def is_expired(run: Run, now: datetime) -> bool:
    """Tell whether a run is a proposal that nobody may approve any more."""
    return run.state is RunState.PROPOSED and run.expires_at is not None and now >= run.expires_at


def stopped(run: Run, reason: str, now: datetime) -> Run:
    """The run as it is when it is broken off; one that has ended stays as it ended."""
    if run.state.ended:
        return run
    return replace(run, state=RunState.STOPPED, reason=reason, ended_at=now)


def failed(run: Run, reason: str, now: datetime) -> Run:
    """The run as it is after a bug; one that has ended stays as it ended."""
    if run.state.ended:
        return run
    return replace(run, state=RunState.FAILED, reason=reason, ended_at=now)


def outcome(judged: Sequence[Judged]) -> RuleCounts:
    """What came of things on the list."""
    states = [one.verdict.state for one in judged]
    return RuleCounts(
        deleted=states.count(ItemState.DELETED),
        held=states.count(ItemState.HELD),
        skipped=states.count(ItemState.SKIPPED),
    )


def batch_size(per_second: int, most: int) -> int:
    """How many things go at once: no more than a second's worth, so that a rate is one also within a minute."""
    return min(per_second, most)


def pause_after(count: int, per_second: int, took_seconds: float) -> float:
    """How long to rest after so many things, so that no more than per_second go in a second."""
    return max(0.0, count / per_second - took_seconds)
