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
        Rejected: invalid_range.
    """
    last = last or max(today, first or today)
    first = first or max(FIRST_DAY, last - timedelta(days=USUAL_DAYS - 1))
    if not 0 <= (last - first).days < MOST_DAYS:
        detail = f"An insight is about 1 to {MOST_DAYS} days, the first of them no later than the last. Name others."
        raise Rejected("invalid_range", detail)
    return Span(first, last)
