"""Glow Cycle's nouns: what a user writes into the journal, the log of periods and the skin diary."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

Flow = Literal["light", "medium", "heavy"]

# The days that a diary may have: whoever writes lived then, and a year with a wrong digit is noticed.
FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What a user says of a day; energy is 0-100. cycle_day is None where it is left to the period log."""

    date: date
    mood: str | None
    energy: float | None
    text: str
    tags: tuple[str, ...]
    cycle_day: int | None


@dataclass(frozen=True, slots=True)
class NewJournalEntry:
    """An entry to be saved."""

    id: str
    tenant: str
    user_id: str
    content: JournalContent

    @property
    def date(self) -> date:
        """The day that it is about."""
        return self.content.date

    @property
    def cycle_day(self) -> int | None:
        """The day of the cycle, if the user said it."""
        return self.content.cycle_day


@dataclass(frozen=True, slots=True)
class JournalEntry(NewJournalEntry):
    """A saved entry; version counts its writings from 1."""

    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewPeriod:
    """A day of a period to be saved. cycle_length is in days, as the user believes it to be."""

    id: str
    tenant: str
    user_id: str
    date: date
    cycle_length: int | None
    flow: Flow | None
    symptoms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period(NewPeriod):
    """A saved day of a period."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class DiaryMetrics:
    """0-100, more is better; None where nothing is known."""

    radiance: float | None
    moisture: float | None
    texture: float | None
    pores: float | None
    dark_circles: float | None


@dataclass(frozen=True, slots=True)
class NewSkinScan:
    """A line of the skin diary, to be saved; cycle_day as in JournalContent."""

    id: str
    tenant: str
    user_id: str
    date: date
    metrics: DiaryMetrics
    cycle_day: int | None


@dataclass(frozen=True, slots=True)
class SkinScan(NewSkinScan):
    """A saved line of the skin diary."""

    created_at: datetime


class DiaryPosition(NamedTuple):
    """Where something stands among a user's things by day; of one day's, the one that was saved later is the newer."""

    date: date
    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Days:
    """The days from first to last, both included; None leaves that end open."""

    first: date | None = None
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        """Tell whether the day is one of them."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


EVERY_DAY: Final = Days()


def position_of(thing: JournalEntry | Period | SkinScan) -> DiaryPosition:
    """Tell where a thing stands in its list."""
    return DiaryPosition(thing.date, thing.created_at, UUID(thing.id))


def may_write_over(version: int, versions: Collection[int] | None) -> bool:
    """Tell whether this version is one of those that may be written over; None allows all."""
    return versions is None or version in versions
