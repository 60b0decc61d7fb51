"""Which day of the cycle a day is."""

import subprocess
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien_core.rules.cycle.days import LAST_CYCLE_DAY, LOOK_BACK, cycle_day
from mien_core.rules.cycle.log import period_starts

FIRST = date(2026, 11, 1)
LOGS = st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=60)


def day(number: int) -> date:
    """The numbered day of a cycle that began on FIRST."""
    return FIRST + timedelta(days=number - 1)


@pytest.mark.parametrize(
    ("logged", "asked", "expected"),
    [
        ([], 1, None),
        ([1], 0, None),
        ([1], 1, 1),
        ([1], 28, 28),
        ([1, 2, 3, 4, 5], 5, 5),
        ([5, 3, 1, 3], 6, 6),
        ([1, 8], 8, 8),
        ([1, 9], 9, 1),
        ([1, 5, 29], 30, 2),
        ([1, 29], 28, 28),
        ([1], LAST_CYCLE_DAY, LAST_CYCLE_DAY),
        ([1], LAST_CYCLE_DAY + 1, None),
    ],
)
def test_the_day_is_counted_from_the_first_day_of_bleeding(logged: list[int], asked: int, expected: int | None) -> None:
    """Days of one period count once, a later period isn't known to the days before it, and old ones are no guess."""
    assert cycle_day(day(asked), period_starts(day(number) for number in logged)) == expected


@settings(deadline=None)
@given(LOGS, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_what_was_logged_long_before_changes_nothing(logged: set[date], asked: date) -> None:
    """The days of the look-back, and none after the day, suffice."""
    enough = {one for one in logged if asked - LOOK_BACK <= one <= asked}
    assert cycle_day(asked, period_starts(enough)) == cycle_day(asked, period_starts(logged))


@settings(deadline=None)
@given(LOGS, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_a_day_is_within_bounds_and_begins_at_a_logged_day(logged: set[date], asked: date) -> None:
    """The cycle's first day was logged, and it lies no longer ago than the longest cycle."""
    number = cycle_day(asked, period_starts(logged))
    if number is not None:
        assert 1 <= number <= LAST_CYCLE_DAY
        assert asked - timedelta(days=number - 1) in logged


def test_the_day_needs_no_numerical_library() -> None:
    """Services that only derive days start without numpy and scipy."""
    program = (
        "import sys; import mien_core.rules.cycle.days; "
        "print({'numpy', 'scipy'} & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
