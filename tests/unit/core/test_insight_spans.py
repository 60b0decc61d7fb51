"""Which days an insight is about."""

from datetime import date, timedelta

import pytest

from mien_core.errors import Rejected
from mien_core.model.cycle import FIRST_DAY, LAST_DAY
from mien_core.model.insights import Span
from mien_core.rules.insights.spans import asked_span

TODAY = date(2026, 11, 20)


def day(number: int | None) -> date | None:
    """The day so many days after today."""
    return None if number is None else TODAY + timedelta(days=number)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (-29, 0)),
        (None, 0, (-29, 0)),
        (None, -10, (-39, -10)),
        (-5, None, (-5, 0)),
        (3, None, (3, 3)),
        (-365, 0, (-365, 0)),
        (-7, -7, (-7, -7)),
    ],
)
def test_the_last_thirty_days_are_meant(first: int | None, last: int | None, expected: tuple[int, int]) -> None:
    """Unless others are named; what is left out follows from what is not."""
    span = asked_span(day(first), day(last), TODAY)
    assert ((span.first - TODAY).days, (span.last - TODAY).days) == expected


@pytest.mark.parametrize(
    ("first", "last", "code"), [(1, 0, "days_reversed"), (-366, 0, "too_many_days"), (-366, None, "too_many_days")]
)
def test_days_that_make_no_span_are_refused(first: int, last: int | None, code: str) -> None:
    """The wrong way round, and more than a year."""
    with pytest.raises(Rejected, match=code):
        asked_span(day(first), day(last), TODAY)


def test_the_ends_of_time_are_days() -> None:
    """No day that is taken makes one that isn't."""
    assert asked_span(None, FIRST_DAY, TODAY) == Span(FIRST_DAY, FIRST_DAY)
    assert asked_span(LAST_DAY, None, TODAY) == Span(LAST_DAY, LAST_DAY)
    assert asked_span(None, LAST_DAY, TODAY).last == LAST_DAY
