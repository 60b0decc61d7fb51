"""What the operator sends and gets of retention, in camelCase."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from mien_api.cursors import Page
from mien_api.schemas import WHOLE, RequestSchema, Schema
from mien_core.model.data_classes import DataClass
from mien_core.model.retention import (
    ItemState,
    RetentionRule,
    RuleCounts,
    Run,
    RunItem,
    RunLimits,
    RunMode,
    RunRequest,
    RunState,
    Store,
)

# 99,999 weeks, as a policy may say
_LONGEST_SECONDS: Final = 99_999 * 7 * 24 * 3600

Name = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
TenantName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds = Annotated[int, Field(strict=True, ge=0, le=_LONGEST_SECONDS), WHOLE]
Whole = Annotated[int, Field(strict=True, ge=1, le=10_000_000), WHOLE]


class _AgesBody(RequestSchema):
    ttl_seconds: Seconds = Field(examples=[2_592_000])
    grace_seconds: Seconds = Field(default=0, examples=[3600])


class ObjectsRuleBody(_AgesBody):
    """Which objects are due: those that were made longer ago than ttlSeconds and graceSeconds."""

    store: Literal[Store.S3]
    data_class: Literal[DataClass.PHOTOS, DataClass.DERIVED_IMAGES]


class RowsRuleBody(_AgesBody):
    """Which rows are due: those that were made longer ago than ttlSeconds and graceSeconds."""

    store: Literal[Store.POSTGRES]
    # derived images are objects alone
    data_class: Literal[
        DataClass.PHOTOS,
        DataClass.ANALYSES,
        DataClass.LOOKS,
        DataClass.TRYON_SESSIONS,
        DataClass.POSTERS,
        DataClass.JOURNAL,
        DataClass.PERIODS,
        DataClass.SKIN_SCANS,
        DataClass.DEAD_LETTERS,
        DataClass.OUTBOX,
        DataClass.JOB_EVENTS,
    ]


RetentionRuleBody = Annotated[ObjectsRuleBody | RowsRuleBody, Field(discriminator="store")]


class RetentionLimitsBody(RequestSchema):
    """How fast, and how far; above maxPercent of a class a run asks first."""

    rows_per_second: Whole = Field(default=500, examples=[500])
    objects_per_second: Whole = Field(default=200, examples=[200])
    max_deletes: Whole = Field(default=100_000, examples=[100_000])
    max_percent: Annotated[int, Field(strict=True, ge=1, le=100), WHOLE] = Field(default=20, examples=[20])


class NewRetentionRunBody(RequestSchema):
    """Asks for a run. Asked for again by its id, it is the run that it was."""

    id: UUID
    policy_id: Name = Field(examples=["0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"])
    policy: Name = Field(examples=["mien/photos"])
    scheduled_at: AwareDatetime = Field(examples=["2026-11-21T03:00:00Z"])
    rules: Annotated[list[RetentionRuleBody], Field(min_length=1, max_length=32)]
    mode: RunMode = Field(examples=["RequireApproval"])
    tenants: Annotated[list[TenantName], Field(max_length=64)] = Field(default=[], examples=[["acme"]])
    limits: RetentionLimitsBody = RetentionLimitsBody()
    proposal_ttl_seconds: Seconds = Field(default=604_800, examples=[604_800])

    @property
    def request(self) -> RunRequest:
        """As the platform has it."""
        rules = (
            RetentionRule(
                one.store, one.data_class, timedelta(seconds=one.ttl_seconds), timedelta(seconds=one.grace_seconds)
            )
            for one in self.rules
        )
        limits = self.limits
        return RunRequest(
            id=str(self.id),
            policy_id=self.policy_id,
            policy=self.policy,
            scheduled_at=self.scheduled_at,
            rules=tuple(rules),
            mode=self.mode,
            tenants=tuple(dict.fromkeys(self.tenants)),
            limits=RunLimits(limits.rows_per_second, limits.objects_per_second, limits.max_deletes, limits.max_percent),
            proposal_ttl=timedelta(seconds=self.proposal_ttl_seconds),
        )


class RetentionCountsBody(Schema):
    """What came of it: of total things listed were due; size is their bytes, where they are objects."""

    total: int = Field(ge=0, examples=[1000])
    listed: int = Field(ge=0, examples=[12])
    size: int = Field(ge=0, examples=[2_400_000])
    deleted: int = Field(ge=0, examples=[11])
    held: int = Field(ge=0, examples=[1])
    skipped: int = Field(ge=0, examples=[0])


class CountedRuleBody(Schema):
    """A rule, and what came of it."""

    ttl_seconds: Seconds = Field(examples=[2_592_000])
    grace_seconds: Seconds = Field(examples=[3600])
    store: Store = Field(examples=["s3"])
    data_class: DataClass = Field(examples=["photos"])
    counts: RetentionCountsBody


class RetentionRunBody(Schema):
    """A run. asOf is when it was asked for, and the moment that ages are counted to; reason says why it is so."""

    id: UUID
    policy_id: str = Field(examples=["0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"])
    policy: str = Field(examples=["mien/photos"])
    scheduled_at: datetime
    mode: RunMode = Field(examples=["RequireApproval"])
    state: RunState = Field(examples=["proposed"])
    reason: str | None = Field(examples=["approval_required"])
    rules: list[CountedRuleBody]
    tenants: list[str] = Field(examples=[["acme"]])
    limits: RetentionLimitsBody
    proposal_ttl_seconds: int = Field(examples=[604_800])
    counts: RetentionCountsBody
    as_of: datetime
    listed_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None


class RetentionRunsPage(Schema):
    """A policy's runs, newest first."""

    runs: list[RetentionRunBody]
    next_cursor: str | None


class RetentionItemBody(Schema):
    """A thing on the list: an object's key, or a row's table and key. It names no user."""

    store: Store = Field(examples=["s3"])
    data_class: DataClass = Field(examples=["photos"])
    name: str = Field(examples=["uploads/6f9619ff-8b86-d011-b42d-00cf4fc964ff/photo"])
    tenant: str | None = Field(examples=["acme"])
    size: int = Field(ge=0, examples=[204_800])
    state: ItemState = Field(examples=["held"])
    reason: str | None = Field(examples=["legal_hold"])


class RetentionItemsPage(Schema):
    """A part of a run's list, in its order."""

    items: list[RetentionItemBody]
    next_cursor: str | None


class StopRetentionRunBody(RequestSchema):
    """Why it is stopped: a word for programs."""

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,63}$")] = Field(
        default="stopped", examples=["policy_changed"]
    )


def run_body(run: Run) -> RetentionRunBody:
    """A run as the operator sees it."""
    request = run.request
    return RetentionRunBody(
        id=UUID(run.id),
        policy_id=request.policy_id,
        policy=request.policy,
        scheduled_at=request.scheduled_at,
        mode=request.mode,
        state=run.state,
        reason=run.reason,
        rules=[
            CountedRuleBody(**_rule_fields(rule), counts=_counts(counts))
            for rule, counts in zip(request.rules, run.counts, strict=True)
        ],
        tenants=list(request.tenants),
        limits=RetentionLimitsBody.model_validate(asdict(request.limits), by_alias=False, by_name=True),
        proposal_ttl_seconds=int(request.proposal_ttl.total_seconds()),
        counts=_counts(run.totals),
        as_of=run.as_of,
        listed_at=run.listed_at,
        expires_at=run.expires_at,
        ended_at=run.ended_at,
    )


def runs_page(page: Page[Run]) -> RetentionRunsPage:
    """A page of runs."""
    return RetentionRunsPage(runs=[run_body(run) for run in page.things], next_cursor=page.next_cursor)


def items_page(run: Run, page: Page[RunItem]) -> RetentionItemsPage:
    """A page of a run's list."""
    items = [
        RetentionItemBody(
            store=run.request.rules[item.rule].store,
            data_class=run.request.rules[item.rule].data_class,
            name=item.name,
            tenant=item.tenant,
            size=item.size,
            state=item.state,
            reason=item.reason,
        )
        for item in page.things
    ]
    return RetentionItemsPage(items=items, next_cursor=page.next_cursor)


def _rule_fields(rule: RetentionRule) -> dict[str, object]:
    return {
        "store": rule.store,
        "data_class": rule.data_class,
        "ttl_seconds": int(rule.ttl.total_seconds()),
        "grace_seconds": int(rule.grace.total_seconds()),
    }


def _counts(counts: RuleCounts) -> RetentionCountsBody:
    return RetentionCountsBody(
        total=counts.total,
        listed=counts.listed,
        size=counts.size,
        deleted=counts.deleted,
        held=counts.held,
        skipped=counts.skipped,
    )
