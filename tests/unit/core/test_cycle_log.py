"""When periods began, and which day of the cycle a date is."""

import random
import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.cycle.days import cycle_day
from mien_core.rules.cycle.log import LONGEST_CYCLE_DAYS, LoggedPeriod, history, period_starts

TODAY = date(2026, 11, 21)
dates = st.dates(TODAY - timedelta(days=3000), TODAY)


def days(*offsets: int) -> list[date]:
    return [TODAY + timedelta(days=offset) for offset in offsets]


def test_days_of_one_bleeding_are_one_period() -> None:
    """Each day of it, its first and last, or with a day left out; a bleeding of twelve days is one, too."""
    assert period_starts(days(-30, -29, -28, -2, -1, 0)) == tuple(days(-30, -2))
    assert period_starts(days(-30, -24)) == tuple(days(-30))
    assert period_starts(days(-30, -28, -26, -24, -22, -20)) == tuple(days(-30))
    assert period_starts(days(*range(-30, -18))) == tuple(days(-30))


def test_short_cycles_are_cycles() -> None:
    """Periods ten days apart are two, also if each is logged day by day."""
    assert period_starts(days(-20, -10, 0)) == tuple(days(-20, -10, 0))
    assert period_starts(days(-20, -19, -18, -10, -9, 0)) == tuple(days(-20, -10, 0))


@given(st.lists(dates), st.randoms(use_true_random=False))
def test_order_and_repetition_of_logs_do_not_matter(logged: list[date], order: random.Random) -> None:
    """The same days logged twice and in another order are the same periods, at least eight days apart."""
    again = logged * 2
    order.shuffle(again)
    starts = period_starts(again)
    assert starts == period_starts(logged)
    assert set(starts) <= set(logged)
    assert all((after - before).days >= 8 for before, after in pairwise(starts))


@given(st.lists(dates, max_size=10), st.lists(st.integers(2, 300), max_size=5))
def test_what_lies_in_the_future_is_no_observation(logged: list[date], ahead: list[int]) -> None:
    """Logs from the day after tomorrow on change nothing."""
    log = [LoggedPeriod(day) for day in logged]
    planned = [LoggedPeriod(TODAY + timedelta(days=one), cycle_length=40) for one in ahead]
    assert history(planned + log, TODAY) == history(log, TODAY)


def test_a_log_of_tomorrow_comes_from_where_tomorrow_has_begun() -> None:
    """It begins a cycle, and that day is today."""
    past = history([LoggedPeriod(day) for day in days(-28, 1)], TODAY)
    assert (past.today, past.lengths) == (TODAY + timedelta(days=1), (29,))


def test_breaks_are_no_cycles() -> None:
    """An interval of half a year is the longest that counts; years without a log leave the cycles around them."""
    assert history([LoggedPeriod(day) for day in days(-1000, -972, -30, 0)], TODAY).lengths == (28, 30)
    longest = LONGEST_CYCLE_DAYS
    assert history([LoggedPeriod(day) for day in days(-longest, 0)], TODAY).lengths == (longest,)
    assert history([LoggedPeriod(day) for day in days(-longest - 1, 0)], TODAY).lengths == ()


def test_the_last_stated_length_counts() -> None:
    """What a user said before is replaced; what no cycle lasts is left out."""
    log = [LoggedPeriod(day, length) for day, length in zip(days(-60, -30, 0), (40, 26, None), strict=True)]
    assert history(reversed(log), TODAY).stated_length == 26
    assert history([LoggedPeriod(TODAY, 2)], TODAY).stated_length is None
    assert history([LoggedPeriod(TODAY, 1000)], TODAY).stated_length is None
    assert history([], TODAY).stated_length is None


def test_the_first_day_of_a_period_is_day_1() -> None:
    """Days count from the last period before the date, whatever came later."""
    log = days(-60, -59, -30, 0)
    assert [cycle_day(log, day) for day in days(-60, -59, -31, -30, -1, 0)] == [1, 2, 30, 1, 30, 1]


@pytest.mark.parametrize(
    ("passed", "day"),
    [(-1, None), (0, 1), (LONGEST_CYCLE_DAYS - 1, LONGEST_CYCLE_DAYS), (LONGEST_CYCLE_DAYS, None), (5000, None)],
)
def test_there_is_no_day_before_the_first_period_nor_after_half_a_year(passed: int, day: int | None) -> None:
    """The log doesn't say which day it is."""
    assert cycle_day([TODAY], TODAY + timedelta(days=passed)) == day
    assert cycle_day([], TODAY) is None


@given(st.lists(dates, max_size=10), dates)
def test_the_day_after_is_one_more_or_the_first(logged: list[date], on: date) -> None:
    """Days follow each other until the next period begins or nobody knows."""
    today, tomorrow = (cycle_day(logged, day) for day in (on, on + timedelta(days=1)))
    assert today is None or 1 <= today <= LONGEST_CYCLE_DAYS
    assert tomorrow in {1, None} or (today is not None and tomorrow == today + 1)


def test_the_day_needs_no_numerical_library() -> None:
    """Services that only derive days start without numpy and scipy."""
    program = (
        "import sys; import mien_core.rules.cycle.days; "
        "print({'numpy', 'scipy'} & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
