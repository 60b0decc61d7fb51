"""RetentionPolicy as people write it and read it: what is kept how long, and what the last run did about it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.model.data_classes import DataClass
from mien_core.model.retention import Store
from mien_operator.cel import CelRule

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
# A field of a schedule is made of numbers, names of months and days, and * , - / between them.
_CRON_FIELD: Final = r"[0-9A-Za-z*,/#?-]+"

# At most five digits, so that no length of time leaves the calendar.
Duration = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,4})[mhdw]$", examples=["30d", "24h"], max_length=6)]


def duration(text: str) -> timedelta:
    """Read a length of time as a policy has it: 90m, 24h, 30d, 8w."""
    return int(text[:-1]) * _UNITS[text[-1]]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Action(StrEnum):
    """What becomes of what is due."""

    DELETE = "delete"


class Mode(StrEnum):
    """How far a run goes by itself."""

    DRY_RUN = "DryRun"
    REQUIRE_APPROVAL = "RequireApproval"
    ENFORCE = "Enforce"


class Rule(_Part):
    """How long one class of data is kept in one store."""

    store: Store = Field(
        description="Where it lies: rows in postgres, or objects in s3. Rows that own objects take these along."
    )
    data_class: DataClass = Field(description="What it is.")
    ttl: Duration = Field(description="How long it is kept, since it was made: a number with m, h, d or w.")
    grace_period: Duration = Field(
        default="0m", description="How much longer it is left, so that work and people who are late still find it."
    )
    action: Action = Field(
        default=Action.DELETE,
        description="What becomes of it then. Nothing is anonymized, since a face stays a face without a name; and"
        " nothing is detached, since no table has partitions.",
    )


class Selector(_Part):
    """Whose data the policy is about."""

    tenants: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] = Field(
        default=(), max_length=64, description="These tenants alone; none means all, and what is nobody's."
    )


class Limits(_Part):
    """How fast a run goes, and how far."""

    rows_per_second: int = Field(default=500, ge=1, le=100_000, description="Rows that are deleted in a second.")
    objects_per_second: int = Field(default=200, ge=1, le=10_000, description="Objects that are deleted in a second.")
    max_deletes_per_run: int = Field(
        default=100_000, ge=1, le=10_000_000, description="A run lists so many; the next one goes on."
    )
    max_percent_per_run: int = Field(
        default=20,
        ge=1,
        le=100,
        description="A run that would delete more of a class, in percent of what there is of it, asks first, also"
        " where the mode is Enforce.",
    )


class RetentionPolicySpec(_Part):
    """What is kept how long, who is asked, and when it is looked at."""

    schedule: str = Field(
        pattern=rf"^{_CRON_FIELD}( {_CRON_FIELD}){{4}}$",
        max_length=128,
        examples=["0 3 * * *"],
        description="When a run begins: cron's minute, hour, day of month, month, day of week.",
    )
    time_zone: str = Field(
        default="UTC",
        pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        max_length=64,
        examples=["Europe/Berlin"],
        description="The IANA time zone that the schedule is in.",
    )
    selector: Selector = Field(default=Selector(), description="Whose data it is about.")
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=32, description="What is kept how long.")
    mode: Mode = Field(
        default=Mode.REQUIRE_APPROVAL,
        description="DryRun lists and deletes nothing. RequireApproval lists, and deletes what is on the list once the"
        " policy has the annotation mien.dev/approve with the run's id. Enforce lists and deletes.",
    )
    limits: Limits = Field(default=Limits(), description="How fast, and how far.")
    proposal_ttl: Duration = Field(default="7d", description="How long a proposal can be approved.")
    paused: bool = Field(default=False, description="No run begins; the one that is under way is stopped.")


class Phase(StrEnum):
    """What the policy is at."""

    WAITING = "Waiting"
    LISTING = "Listing"
    PROPOSED = "Proposed"
    DELETING = "Deleting"
    PAUSED = "Paused"
    INVALID = "Invalid"


class LastRun(_Part):
    """The newest run, under way or ended."""

    id: str = Field(description="Its id; also that of its list and of its record in the audit log.")
    state: str = Field(description="Its state: listing, proposed, approved, deleting, stopped, done, failed.")
    started_at: datetime = Field(description="When it was asked for.")
    ended_at: datetime | None = Field(default=None, description="When it ended.")
    listed: int = Field(default=0, ge=0, description="What is on its list.")
    deleted: int = Field(default=0, ge=0, description="What of it was deleted.")
    held: int = Field(default=0, ge=0, description="What of it a legal hold kept.")
    skipped: int = Field(default=0, ge=0, description="What of it was left: gone already, or not due any more.")


class RuleCounts(_Part):
    """What a proposal is about, by rule."""

    store: Store = Field(description="The rule's store.")
    data_class: DataClass = Field(description="The rule's class.")
    listed: int = Field(ge=0, description="How many would go.")
    total: int = Field(ge=0, description="Of how many.")
    bytes: int = Field(ge=0, description="Their size, where they are objects.")


class Proposal(_Part):
    """What waits for an approval."""

    run_id: str = Field(description="What the annotation mien.dev/approve must say.")
    counts: tuple[RuleCounts, ...] = Field(default=(), max_length=32, description="What would go, by rule.")
    expires_at: datetime = Field(description="From then on it can't be approved.")


class RetentionPolicyStatus(_Part):
    """What the policy is at; conditions and observedGeneration stand beside it."""

    phase: Phase | None = Field(default=None, description="What it is at.")
    last_run: LastRun | None = Field(default=None, description="The newest run.")
    next_run_at: datetime | None = Field(default=None, description="When the next one begins.")
    proposal: Proposal | None = Field(default=None, description="What waits for an approval.")


RULES: Final = (
    CelRule(
        rule="self.rules.all(r, r.store == 's3' ? r.dataClass in ['photos', 'derived_images'] : "
        "r.dataClass != 'derived_images')",
        message="Objects in s3 are photos or derived_images, and derived_images are in s3 alone; all other classes are"
        " in postgres.",
    ),
    CelRule(
        rule="self.rules.all(r, self.rules.filter(o, o.store == r.store && o.dataClass == r.dataClass).size() == 1)",
        message="Two rules are about the same class in the same store; keep one of them.",
    ),
    CelRule(
        rule="!has(self.selector) || !has(self.selector.tenants) || self.selector.tenants.size() == 0 ||"
        " self.rules.all(r, r.dataClass != 'outbox')",
        message="Records in the outbox name no tenant that could be selected; have a policy of their own without"
        " tenants.",
    ),
)
