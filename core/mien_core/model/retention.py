"""The nouns of retention: what is kept how long, a run over it, and the exact list of what the run is about."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from mien_core.model.data_classes import DataClass


class Store(StrEnum):
    """Where something lies."""

    POSTGRES = "postgres"
    S3 = "s3"


class RunMode(StrEnum):
    """How far a run goes by itself: it only lists, it asks for an approval in between, or it deletes what it listed."""

    DRY_RUN = "DryRun"
    REQUIRE_APPROVAL = "RequireApproval"
    ENFORCE = "Enforce"


class RunState(StrEnum):
    """Where a run is. From listing it comes to proposed or approved; only from approved to deleting."""

    LISTING = "listing"
    PROPOSED = "proposed"
    APPROVED = "approved"
    DELETING = "deleting"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing comes after it."""
        return self in {RunState.STOPPED, RunState.DONE, RunState.FAILED}


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """What of a class is due: what was made longer ago than ttl and grace."""

    store: Store
    data_class: DataClass
    ttl: timedelta
    grace: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How fast a run deletes, how much at most, and from which percentage of a class on it asks first."""

    rows_per_second: int = 500
    objects_per_second: int = 200
    max_deletes: int = 100_000
    max_percent: int = 20


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for. No tenants means all of them, and what is nobody's.

    policy_id tells policies apart for ever, policy is what people call it.
    """

    id: str
    policy_id: str
    policy: str
    scheduled_at: datetime
    rules: tuple[RetentionRule, ...]
    mode: RunMode
    tenants: tuple[str, ...] = ()
    limits: RunLimits = RunLimits()
    proposal_ttl: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a run has come: in which rule, in which part of it, and after which position there ("": at its start)."""

    rule: int = 0
    part: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """What came of a rule: of total things of the class so many were listed, and size is their bytes.

    Those that are neither deleted nor held nor skipped are still to be looked at.
    """

    total: int = 0
    listed: int = 0
    size: int = 0
    deleted: int = 0
    held: int = 0
    skipped: int = 0

    def plus(self, other: Self) -> Self:
        """Both together."""
        return replace(
            self,
            total=self.total + other.total,
            listed=self.listed + other.listed,
            size=self.size + other.size,
            deleted=self.deleted + other.deleted,
            held=self.held + other.held,
            skipped=self.skipped + other.skipped,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A run. as_of is the moment that ages are counted to: what comes later is never on its list.

    reason is a word for programs that says why it is in its state, where there is a choice.
    """

    request: RunRequest
    as_of: datetime
    state: RunState = RunState.LISTING
    reason: str | None = None
    place: Place = Place()
    counts: tuple[RuleCounts, ...] = ()
    listed_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def id(self) -> str:
        """The request's."""
        return self.request.id

    @property
    def totals(self) -> RuleCounts:
        """Over all rules."""
        return sum_of(self.counts)

    def counting(self, rule: int, counts: RuleCounts) -> Self:
        """The run with these added to those of a rule."""
        added = tuple(one.plus(counts) if index == rule else one for index, one in enumerate(self.counts))
        return replace(self, counts=added)


def sum_of(counts: tuple[RuleCounts, ...]) -> RuleCounts:
    """All of them together."""
    total = RuleCounts()
    for one in counts:
        total = total.plus(one)
    return total


class ItemState(StrEnum):
    """What became of a thing on the list."""

    LISTED = "listed"
    DELETED = "deleted"
    HELD = "held"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What the deleting transaction finds of a thing on the list. All but due are reasons why it stays."""

    DUE = "due"
    HELD = "legal_hold"
    GONE = "gone"
    NOT_DUE = "not_due"

    @property
    def state(self) -> ItemState:
        """What the thing is then."""
        if self is Verdict.DUE:
            return ItemState.DELETED
        return ItemState.HELD if self is Verdict.HELD else ItemState.SKIPPED


@dataclass(frozen=True, slots=True)
class RunItem:
    """A thing on a run's list; seq is its position there.

    name is an object's key, or the table and key of a row. It names no user: whose it is stands in the row itself,
    which is what the deleting transaction asks.
    """

    seq: int
    rule: int
    name: str
    tenant: str | None
    size: int
    state: ItemState = ItemState.LISTED
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A thing on the list as it is now; media are the upload and the jobs whose objects go with it."""

    item: RunItem
    verdict: Verdict
    upload_id: str | None = None
    job_ids: tuple[str, ...] = field(default=())
