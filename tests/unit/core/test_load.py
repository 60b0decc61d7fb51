"""Whether more work is taken, and when whoever was sent away should come back."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.load import (
    LONGEST_RETRY_SECONDS,
    USUAL_RETRY_SECONDS,
    Cause,
    Drain,
    Limits,
    Load,
    overload,
    retry_after,
)

LIMITS = Limits(open_jobs=100, outbox_seconds=60, database_seconds=1, requests=10, photos=3)

counts = st.integers(0, 10_000)
ages = st.floats(0, 10_000)
loads = st.builds(
    Load, open_jobs=counts, outbox_seconds=ages, database_seconds=ages, requests=counts, photos=st.integers(0, 100)
)


@pytest.mark.parametrize(
    ("below", "reached", "cause"),
    [
        (Load(open_jobs=99), Load(open_jobs=100), Cause.OPEN_JOBS),
        (Load(outbox_seconds=60), Load(outbox_seconds=60.1), Cause.OUTBOX),
        (Load(database_seconds=1), Load(database_seconds=1.1), Cause.DATABASE),
        (Load(requests=9), Load(requests=10), Cause.REQUESTS),
        (Load(photos=2), Load(photos=3), Cause.PHOTOS),
    ],
)
def test_each_limit_counts_by_itself(below: Load, reached: Load, cause: Cause) -> None:
    """Up to it work is taken, and whoever is sent away is counted by the reason."""
    assert overload(below, LIMITS) is None
    assert overload(reached, LIMITS) is cause


@given(loads, loads)
def test_more_load_never_lets_more_in(one: Load, other: Load) -> None:
    """What is refused under some load is refused under any that is at least as high in everything."""
    higher = Load(**{name: max(value, getattr(other, name)) for name, value in dataclasses.asdict(one).items()})
    if overload(one, LIMITS) is not None:
        assert overload(higher, LIMITS) is not None


@given(st.sampled_from(Cause), loads, st.one_of(st.none(), st.floats(0, 1e6)))
def test_whoever_is_sent_away_is_told_a_sensible_time(cause: Cause, load: Load, rate: float | None) -> None:
    """Between a second and a minute, whatever was measured."""
    assert 1.0 <= retry_after(cause, load, LIMITS, rate) <= LONGEST_RETRY_SECONDS


def test_the_time_comes_from_the_drain_rate() -> None:
    """Until a tenth of the limit is free; without a measurement it is the usual time."""
    full = Load(open_jobs=100)
    assert retry_after(Cause.OPEN_JOBS, full, LIMITS, 2.5) == pytest.approx(4.0)
    assert retry_after(Cause.OPEN_JOBS, full, LIMITS, 0.0) == LONGEST_RETRY_SECONDS
    assert retry_after(Cause.OPEN_JOBS, full, LIMITS, None) == USUAL_RETRY_SECONDS


def test_the_drain_rate_is_what_becomes_less_while_nothing_is_taken() -> None:
    """Work that came in between says nothing about how fast work is done."""
    drain = Drain()
    drain.note(0.0, 100, taken=True)
    drain.note(1.0, 120, taken=True)
    assert drain.rate is None
    drain.note(3.0, 100, taken=False)
    assert drain.rate == pytest.approx(10.0)
    drain.note(4.0, 150, taken=True)
    assert drain.rate == pytest.approx(10.0)


@given(st.lists(st.tuples(st.floats(0.0, 10.0), counts, st.booleans())))
def test_the_drain_rate_is_never_negative(notes: list[tuple[float, int, bool]]) -> None:
    """Other processes take work, too, so that open jobs may become more while this one takes none."""
    drain, now = Drain(), 0.0
    for passed, open_jobs, taken in notes:
        now += passed
        drain.note(now, open_jobs, taken=taken)
        assert drain.rate is None or drain.rate >= 0


def test_a_rate_of_nothing_with_room_to_spare_is_no_division_by_nothing() -> None:
    """Found once by chance: less open than the tenth that is waited for, and nothing draining."""
    assert retry_after(Cause.OPEN_JOBS, Load(open_jobs=0), LIMITS, 0.0) == LONGEST_RETRY_SECONDS
