"""What a user is told of their own diary in words: an insight, what it is asked for, and what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from mien_core.model.cycle import JournalContent, Period, SkinScan

# who wrote the words: a language model on Amazon Bedrock, or a rule of this platform
Engine = Literal["bedrock", "summary"]

_WHAT_IT_IS: Final = "About your own notes; not a diagnosis, and not for contraception."
NOTICES: Final[dict[Engine, str]] = {
    "bedrock": f"Written by a language model (AI), which can be wrong. {_WHAT_IT_IS}",
    "summary": f"Put together by fixed rules, without a language model. {_WHAT_IT_IS}",
}


@dataclass(frozen=True, slots=True)
class Span:
    """The days from first to last, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Tell whether the day is one of them."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Diary:
    """What a user wrote in a span of days, the oldest first; periods also has what was logged long before."""

    span: Span
    journal: Sequence[JournalContent]
    periods: Sequence[Period]
    scans: Sequence[SkinScan]


@dataclass(frozen=True, slots=True)
class Words:
    """What is told, and by whom; model is None where no language model wrote it."""

    text: str
    engine: Engine
    model: str | None


@dataclass(frozen=True, slots=True)
class NewInsight:
    """An insight that is asked for; id is the job's."""

    id: str
    tenant: str
    user_id: str
    span: Span


@dataclass(frozen=True, slots=True)
class Insight(NewInsight):
    """A written insight; created_at is when it was written."""

    words: Words
    created_at: datetime


class InsightPosition(NamedTuple):
    """Where an insight stands among a user's, by when it was written."""

    created_at: datetime
    id: UUID


def position_of(insight: Insight) -> InsightPosition:
    """Tell where an insight stands in its list."""
    return InsightPosition(insight.created_at, UUID(insight.id))
