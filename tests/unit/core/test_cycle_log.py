"""When periods began, and how long cycles were."""

import random
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS, LoggedPeriod, history, period_starts

TODAY = date(2026, 11, 21)
dates = st.dates(TODAY - timedelta(days=3000), TODAY)


def days(*offsets: int) -> list[date]:
    return [TODAY + timedelta(days=offset) for offset in offsets]


def test_days_of_one_bleeding_are_one_period() -> None:
    """Each day of it, its first and last, or with days left out; a bleeding of twelve days is one, too."""
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
    longest = LONGEST_INTERVAL_DAYS
    assert history([LoggedPeriod(day) for day in days(-longest, 0)], TODAY).lengths == (longest,)
    assert history([LoggedPeriod(day) for day in days(-longest - 1, 0)], TODAY).lengths == ()


def test_the_last_stated_length_counts() -> None:
    """What a user said before is replaced; what no cycle lasts is left out."""
    log = [LoggedPeriod(day, length) for day, length in zip(days(-60, -30, 0), (40, 26, None), strict=True)]
    assert history(reversed(log), TODAY).stated_length == 26
    assert history([LoggedPeriod(TODAY, 2)], TODAY).stated_length is None
    assert history([LoggedPeriod(TODAY, 1000)], TODAY).stated_length is None
    assert history([], TODAY).stated_length is None
