"""Which phase of its cycle a day lies in."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.cycle.log import LoggedPeriod
from mien_core.rules.cycle.phases import LONGEST_CYCLE, CycleLog, Phase, cycle_log, phase_of_day

FIRST = date(2026, 9, 1)
ORDER: list[Phase] = ["menstrual", "follicular", "ovulatory", "luteal"]


def day(number: int) -> date:
    """The numbered day, counted from FIRST."""
    return FIRST + timedelta(days=number - 1)


def log(*starts: int, today: int = 100, stated: int | None = None) -> CycleLog:
    return cycle_log([LoggedPeriod(day(start), stated) for start in starts], day(today))


@pytest.mark.parametrize(
    ("number", "length", "phase"),
    [
        (1, 28, "menstrual"),
        (5, 28, "menstrual"),
        (6, 28, "follicular"),
        (13, 28, "follicular"),
        (14, 28, "ovulatory"),
        (16, 28, "ovulatory"),
        (18, 28, "ovulatory"),
        (19, 28, "luteal"),
        (28, 28, "luteal"),
        (40, 28, "luteal"),
        (19, 35, "follicular"),
        (23, 35, "ovulatory"),
        (5, 12, "menstrual"),
        (6, 12, "ovulatory"),
        (9, 12, "luteal"),
    ],
)
def test_a_days_phase_is_counted_back_from_the_next_period(number: int, length: float, phase: Phase) -> None:
    """Ovulation lies 12 days before the cycle's end, two days to each side belong to it, and bleeding comes first."""
    assert phase_of_day(number, length) == phase


@given(st.floats(8, 90))
def test_phases_follow_one_another(length: float) -> None:
    """In whatever cycle: the phases come in their order, none twice, and the last one lasts."""
    told = [phase_of_day(number, length) for number in range(1, 120)]
    assert told == sorted(told, key=ORDER.index)
    assert (told[0], told[-1]) == ("menstrual", "luteal")


def test_a_cycle_that_is_over_has_its_own_length() -> None:
    """A long one among usual ones ovulates late; the one that lasts still is taken for a usual one."""
    told = log(1, 29, 57, 95, 123, today=140)
    assert told.usual_length == 28
    assert (told.phase_of(day(16)), told.phase_of(day(57 + 15))) == ("ovulatory", "follicular")
    assert (told.phase_of(day(57 + 25)), told.phase_of(day(123 + 15))) == ("ovulatory", "ovulatory")


def test_what_the_user_says_counts() -> None:
    """The day of the cycle as they say it, and the length of their cycles where the log has none to show."""
    assert log(1).phase_of(day(2), said=16) == "ovulatory"
    assert cycle_log([], FIRST).phase_of(FIRST, said=16) == "ovulatory"
    assert log(1).usual_length == 29.3
    assert log(1, stated=35).usual_length == 35
    assert log(1, 29, stated=35).usual_length == 28
    assert (log(1).phase_of(day(18)), log(1, stated=38).phase_of(day(18))) == ("ovulatory", "follicular")


def test_where_a_log_is_probably_missing_nothing_is_told() -> None:
    """Without a log, and long after the last one; a gap between two periods gives no cycle its length."""
    assert cycle_log([], FIRST).phase_of(FIRST) is None
    assert log(1).phase_of(day(LONGEST_CYCLE)) == "luteal"
    assert log(1).phase_of(day(LONGEST_CYCLE + 1)) is None
    assert log(1).phase_of(FIRST - timedelta(days=1)) is None
    assert log(1, 29, 90, today=100).usual_length == 28
    assert log(1, 29, 90, today=100).phase_of(day(29 + 15)) == "ovulatory"
    assert log(1, 29, 90, today=100).phase_of(day(29 + 50)) is None


def test_plans_are_no_log() -> None:
    """A period that is logged for the days to come ends no cycle."""
    assert log(1, 29, 70, today=40).starts == (day(1), day(29))
