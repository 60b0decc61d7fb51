"""What a log of periods says of the next one, whatever is in it."""

import random
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mien_core.errors import Rejected
from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS, LoggedPeriod, history
from mien_core.rules.cycle.prediction import LEVEL, Interval, NextPeriod, Prediction, predict

TODAY = date(2026, 11, 21)

logs = st.lists(
    st.builds(
        LoggedPeriod,
        st.dates(TODAY - timedelta(days=1500), TODAY + timedelta(days=60)),
        st.none() | st.integers(-5, 400),
    ),
    max_size=40,
)
# lengths as people have them, skips and breaks
usual = st.lists(st.integers(9, 200), max_size=30)
elapsed = st.integers(0, LONGEST_INTERVAL_DAYS - 1)


def log_of(lengths: Sequence[int], since: int = 0) -> list[LoggedPeriod]:
    """Periods so many days apart, the last one so many days ago."""
    last = TODAY - timedelta(days=since)
    return [LoggedPeriod(last - timedelta(days=days)) for days in [0, *accumulate(reversed(lengths))]]


def next_of(lengths: Sequence[int], since: int = 0) -> NextPeriod:
    predicted = predict(log_of(lengths, since), TODAY).next_period
    assert predicted is not None
    return predicted


def width(interval: Interval) -> int:
    return (interval.end - interval.start).days + 1


def shifted(value: Any, by: timedelta) -> Any:
    """The same with all dates moved."""
    if isinstance(value, date):
        return value + by
    if isinstance(value, tuple):
        return tuple(shifted(one, by) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{field.name: shifted(getattr(value, field.name), by) for field in fields(value)})
    return value


@settings(deadline=None, max_examples=60)
@given(logs)
def test_any_log_has_a_sound_prediction(log: list[LoggedPeriod]) -> None:
    """What is predicted lies in the future, in its interval, in order; chances are chances."""
    predicted = predict(log, TODAY)
    assert 8 <= predicted.cycle_length.mean <= 160
    assert 0 < predicted.cycle_length.sd < 80
    assert 0 <= predicted.based_on.cycles <= len(log)
    assert 0 <= predicted.based_on.skips_likely <= 6 * predicted.based_on.cycles
    dated = (predicted.next_period, predicted.ovulation, predicted.fertile_window)
    past = history(log, TODAY)
    if not past.starts or past.starts[-1] <= TODAY - timedelta(days=LONGEST_INTERVAL_DAYS):
        assert (*dated, predicted.cycle_day) == (None, None, None, None)
        return
    assert predicted.next_period is not None
    assert predicted.ovulation is not None
    assert predicted.fertile_window is not None
    period, interval = predicted.next_period.date, predicted.next_period.interval
    assert past.today < interval.start <= period <= interval.end
    chances = [one.p for one in predicted.ovulation.distribution]
    assert all(chance > 0 for chance in chances)
    assert sum(chances) == pytest.approx(1)
    assert [one.date for one in predicted.ovulation.distribution] == sorted(
        {one.date for one in predicted.ovulation.distribution}
    )
    assert past.starts[-1] <= predicted.fertile_window.start <= predicted.ovulation.date < period
    assert predicted.ovulation.date <= predicted.fertile_window.end < interval.end


@settings(deadline=None, max_examples=25)
@given(logs, st.randoms(use_true_random=False))
def test_the_same_log_has_the_same_prediction(log: list[LoggedPeriod], order: random.Random) -> None:
    """To the last bit, in any order of logs: nothing is sampled."""
    # of two stated lengths on one day the later log counts, and that is the order
    log = list({one.date: one for one in log}.values())
    other = list(log)
    order.shuffle(other)
    assert predict(other, TODAY) == predict(log, TODAY)


@settings(deadline=None, max_examples=25)
@given(usual, elapsed, st.integers(-20_000, 20_000))
def test_a_log_that_is_shifted_shifts_the_prediction(lengths: list[int], since: int, days: int) -> None:
    """The calendar plays no role."""
    by = timedelta(days=days)
    log = log_of(lengths, since)
    assert predict(shifted(tuple(log), by), TODAY + by) == shifted(predict(log, TODAY), by)


@settings(deadline=None, max_examples=25)
@given(usual, elapsed, st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_a_greater_level_has_no_shorter_interval(lengths: list[int], since: int, one: float, other: float) -> None:
    """Intervals grow with what they shall hold."""
    narrow, wide = (predict(log_of(lengths, since), TODAY, level).next_period for level in sorted((one, other)))
    assert narrow is not None
    assert wide is not None
    assert width(narrow.interval) <= width(wide.interval)


@settings(deadline=None, max_examples=25)
@given(usual, elapsed)
@example([69, 114, 74, 107, 87], 94)
def test_the_fertile_window_holds_its_level_of_the_ovulation(lengths: list[int], since: int) -> None:
    """Each end is a whole day, so within half a day's chance at each; and the five days before."""
    predicted = predict(log_of(lengths, since), TODAY)
    assert predicted.ovulation is not None
    assert predicted.fertile_window is not None
    # a window that begins with the last period is cut off there
    assume(predicted.fertile_window.start > TODAY - timedelta(days=since))
    start, end = predicted.fertile_window.start + timedelta(days=5), predicted.fertile_window.end
    chances = {one.date: one.p for one in predicted.ovulation.distribution}
    held = sum(chance for day, chance in chances.items() if start <= day <= end)
    assert abs(held - LEVEL) <= max(chances.values()) + 0.02


def test_ovulation_comes_a_luteal_phase_before_the_period() -> None:
    """In 28 days on the 15th or 16th, with a deviation of 2.5 days: 12.4 full days follow on average, 7 at least."""
    ovulation = predict(log_of([28] * 36), TODAY).ovulation
    assert ovulation is not None
    days = [((one.date - TODAY).days + 1, one.p) for one in ovulation.distribution]
    mean = sum(day * p for day, p in days)
    assert mean == pytest.approx(29 - 13.4, abs=0.3)
    assert sum((day - mean) ** 2 * p for day, p in days) ** 0.5 == pytest.approx(2.5, abs=0.3)
    # the earliest period that isn't improbable comes on day 26, the latest on day 33
    assert days[0][0] >= 26 - 18
    assert days[-1][0] <= 33 - 8


@pytest.mark.parametrize("level", [-1.0, 0.0, 0.49, 1.0, 80.0, float("nan")])
def test_a_level_that_says_nothing_is_refused(level: float) -> None:
    """Nobody wants an interval that more often fails than holds, or one without an end."""
    with pytest.raises(Rejected) as refused:
        predict([], TODAY, level)
    assert refused.value.code == "level_out_of_range"


def test_without_a_log_only_the_usual_is_known() -> None:
    """The mean and spread of all, as counted by Chiazze et al. 1968 (29.1 and 7.5 days), and no dates."""
    predicted = predict([], TODAY)
    assert predicted.cycle_length.mean == pytest.approx(29.3, abs=1)
    assert predicted.cycle_length.sd == pytest.approx(7, abs=1)
    assert (predicted.cycle_day, predicted.next_period, predicted.based_on.cycles) == (None, None, 0)


def test_the_first_log_predicts_the_usual() -> None:
    """A period in four weeks, give or take one."""
    first = next_of([])
    assert 28 <= (first.date - TODAY).days <= 30
    assert 9 <= width(first.interval) <= 15


@pytest.mark.parametrize("length", [10, 21, 28, 35, 45, 120])
def test_what_is_regular_is_learnt(length: int) -> None:
    """Within eight cycles, also where hardly anybody has such."""
    predicted = predict(log_of([length] * 8), TODAY)
    assert predicted.next_period is not None
    assert (predicted.next_period.date - TODAY).days == pytest.approx(length, abs=1)
    assert width(predicted.next_period.interval) <= 3 + length / 15
    assert predicted.based_on.skips_likely == 0


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 40), st.integers(3, 40))
def test_more_of_the_same_makes_nobody_less_sure(length: int, times: int) -> None:
    """A regular user's spread doesn't grow with one more such cycle."""
    before, after = (predict(log_of([length] * many), TODAY).cycle_length.sd for many in (times, times + 1))
    # once the oldest cycle counts no more, nothing changes but the last digits
    assert after <= before + 1e-6


def test_skipped_logs_are_recognised() -> None:
    """Intervals of two and three cycles are not taken for long ones."""
    predicted = predict(log_of([28, 29, 57, 28, 27, 85, 29, 28]), TODAY)
    assert predicted.based_on.skips_likely == 3
    assert predicted.based_on.cycles == 8
    assert predicted.cycle_length.mean == pytest.approx(28.4, abs=0.7)
    assert predicted.cycle_length.sd < 3


def test_a_break_changes_no_length() -> None:
    """Years without a log leave what was learnt before them."""
    with_break = predict(log_of([28, 29, 900, 30]), TODAY)
    assert with_break.cycle_length == predict(log_of([28, 29, 30]), TODAY).cycle_length
    assert with_break.based_on.cycles == 3


def test_one_odd_interval_spoils_little() -> None:
    """A cycle of 14 days, or of 47, among thirty-day ones moves the next period by a day at most."""
    for odd in (14, 47):
        moved = next_of([30, 29, 31, 30, odd, 30, 31, 29, 30])
        assert abs((moved.date - TODAY).days - 30) <= 1


def test_no_period_so_far_moves_the_next_one() -> None:
    """Each day that passes excludes itself; long after it was due, a skipped log is likelier than a late period."""
    lengths = [28, 29, 28, 27, 28, 29]
    after_last = []
    for since in range(60):
        predicted = next_of(lengths, since)
        assert predicted.interval.start > TODAY
        after_last.append((predicted.date - TODAY).days + since)
    assert after_last == sorted(after_last)
    assert after_last[0] == pytest.approx(28, abs=1)
    assert after_last[40] == pytest.approx(56, abs=1)


def test_recent_cycles_count_more() -> None:
    """Cycles that have become shorter are predicted short."""
    assert 25 <= (next_of([32] * 12 + [26] * 12).date - TODAY).days <= 28


def test_what_the_user_says_counts_until_the_log_knows_better() -> None:
    """A stated length moves a first prediction towards it, and hardly one after a year."""
    stated = predict([LoggedPeriod(TODAY, 35)], TODAY)
    assert stated.cycle_length.mean > predict([LoggedPeriod(TODAY)], TODAY).cycle_length.mean + 1
    year = log_of([28] * 13)
    said = predict([LoggedPeriod(TODAY, 35), *year], TODAY)
    assert said.cycle_length.mean == pytest.approx(predict(year, TODAY).cycle_length.mean, abs=0.5)


def test_half_a_year_after_the_last_log_nothing_is_dated() -> None:
    """Up to then there is a wide interval; what was learnt of the lengths stays."""
    log = log_of([28] * 6, since=LONGEST_INTERVAL_DAYS)
    stale = predict(log, TODAY)
    assert (stale.cycle_day, stale.next_period, stale.ovulation, stale.fertile_window) == (None, None, None, None)
    assert stale.cycle_length.mean == pytest.approx(28, abs=1)
    before = predict(log, TODAY - timedelta(days=1))
    assert before.next_period is not None
    # the diaries' bound is nearer: docs/cycle.md
    assert before.cycle_day is None


def test_a_hundred_cycles_are_the_last_three_years() -> None:
    """What is older doesn't count, and isn't said to."""
    recent = [28, 30] * 18
    long = predict(log_of([45] * 64 + recent), TODAY)
    assert long == predict(log_of(recent), TODAY)
    assert long.based_on.cycles == 36


def test_the_prediction_says_what_it_is_not() -> None:
    """No diagnosis, and nothing to prevent a pregnancy with."""
    predicted: Prediction = predict([], TODAY)
    assert "not a diagnosis" in predicted.notice
    assert "not for contraception" in predicted.notice
