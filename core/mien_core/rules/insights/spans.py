"""Which days an insight is about."""

from datetime import date, timedelta
from typing import Final

from mien_core.errors import Rejected
from mien_core.model.cycle import FIRST_DAY
from mien_core.model.insights import Span

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 366


def asked_span(first: date | None, last: date | None, today: date) -> Span:
    """The days that are meant: up to today, and 30 of them, unless others are named.

    Args:
        first: the first day, if it is named; none lies before mien_core.model.cycle.FIRST_DAY.
        last: the last day, if it is named.
        today: the day on which is asked.

    Raises:
        Rejected: days_reversed or too_many_days.
    """
    last = last or max(today, first or today)
    first = first or max(FIRST_DAY, last - timedelta(days=USUAL_DAYS - 1))
    if first > last:
        raise Rejected("days_reversed", "The first day is after the last one. Exchange them.")
    if (last - first).days >= MOST_DAYS:
        raise Rejected("too_many_days", f"An insight is about {MOST_DAYS} days at most. Ask for fewer.")
    return Span(first, last)
