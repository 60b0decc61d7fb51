"""When a part is started again is decided without a clock and without a process."""

import pytest

from mien_local.restarts import Patience, Restarts

PATIENCE = Patience(limit=4, first_seconds=1.0, most_seconds=5.0, steady_seconds=60.0)


def test_waits_double_up_to_the_most_and_then_it_is_given_up() -> None:
    """1, 2, 4, 5 seconds for four ends in a row; the fifth is the last."""
    restarts = Restarts(PATIENCE, chance=lambda: 0.0)
    assert [restarts.ended(float(now)) for now in range(5)] == [1.0, 2.0, 4.0, 5.0, None]


def test_chance_takes_off_half_at_most() -> None:
    """Parts that ended together come back at different times, none of them later than by the rule."""
    assert Restarts(PATIENCE, chance=lambda: 1.0).ended(0.0) == 0.5
    waits = {Restarts(PATIENCE).ended(0.0) for _ in range(50)}
    assert len(waits) > 1
    assert all(wait is not None and 0.5 <= wait <= 1.0 for wait in waits)


@pytest.mark.parametrize(("ready_for", "expected"), [(59.0, 2.0), (60.0, 1.0)])
def test_who_was_steady_begins_anew(ready_for: float, expected: float) -> None:
    """An end once a day is no row, however many days; one that is ready for a moment each time is."""
    restarts = Restarts(PATIENCE, chance=lambda: 0.0)
    restarts.ended(0.0)
    restarts.ready(10.0)
    assert restarts.ended(10.0 + ready_for) == expected


def test_a_start_that_takes_long_is_no_steadiness() -> None:
    """Only being ready counts: a start that fails after minutes goes on with the row."""
    restarts = Restarts(PATIENCE, chance=lambda: 0.0)
    assert [restarts.ended(now) for now in (0.0, 200.0, 400.0, 600.0, 800.0)] == [1.0, 2.0, 4.0, 5.0, None]
