"""The sums of compared answers: they add up, survive their way as JSON, and stay small."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mien_core.model.comparisons import (
    LATENCY_BOUNDS,
    QUANTITIES,
    TONE_GROUPS,
    VERDICTS,
    Comparison,
    ComparisonWindow,
    Deltas,
    Flips,
    Group,
    Latencies,
    Sides,
    Tally,
    Traffic,
    windows_from_json,
    windows_to_json,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
counts = st.integers(0, 10**6)
# whole numbers, so that the order of adding changes nothing
sums = st.integers(-(10**9), 10**9).map(float)
deltas = st.builds(Deltas, counts, sums, sums.map(abs), counts, counts, counts)
flips = st.builds(Flips, counts, counts, counts)
buckets = st.tuples(*[counts] * (len(LATENCY_BOUNDS) + 1))
traffic = st.builds(Traffic, counts, counts, st.builds(Latencies, counts, sums, sums.map(abs), buckets))
groups = st.builds(
    Group,
    counts,
    st.dictionaries(st.sampled_from(QUANTITIES), deltas, max_size=3),
    st.dictionaries(st.sampled_from(VERDICTS), flips, max_size=3),
)
tallies = st.builds(
    Tally,
    counts,
    counts,
    flips,
    flips,
    deltas,
    flips,
    st.dictionaries(st.sampled_from(TONE_GROUPS), groups),
    st.builds(Sides, traffic, traffic),
    st.builds(Sides, traffic, traffic),
)


def window(tally: Tally) -> ComparisonWindow:
    return ComparisonWindow(Comparison("uid.1", 2, "face@sha256:aaaaaaaaaaaa", "face@sha256:bbbbbbbbbbbb"), NOW, tally)


@settings(max_examples=20)
@given(tallies, tallies, tallies)
def test_tallies_add_up(one: Tally, two: Tally, three: Tally) -> None:
    """Which replica saw what, and in which order they are added, makes no difference."""
    assert one.plus(two).plus(three) == one.plus(two.plus(three))
    assert one.plus(two) == two.plus(one)
    assert one.plus(Tally()) == one
    assert one.plus(two).everybody == one.everybody.plus(two.everybody)
    assert one.plus(two).slowdown.total == one.slowdown.total + two.slowdown.total
    assert window(one).plus(two) == window(one.plus(two))


@settings(max_examples=20)
@given(tallies)
def test_windows_survive_their_way(tally: Tally) -> None:
    """What the operator reads is what serving wrote."""
    read = windows_from_json(windows_to_json((window(tally),), NOW))
    assert (read.windows, read.now) == ((window(tally),), NOW)


def test_a_full_window_is_small() -> None:
    """With every quantity of every group at its longest, a window stays below 64 KiB, whatever went into it."""
    big = Deltas(10**9, -1.2345678901234567e15, 1.2345678901234567e15, 10**9, 10**9, 10**9)
    flip = Flips(10**9, 10**9, 10**9)
    group = Group(10**9, dict.fromkeys(QUANTITIES, big), dict.fromkeys(VERDICTS, flip))
    full = Tally(groups=dict.fromkeys(TONE_GROUPS, group))
    assert len(windows_to_json((window(full),), NOW)) < 64 * 1024


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "Invalid JSON"),
        (b"{}", "windows"),
        (b'{"windows": [{}], "now": "2026-03-01T12:00:00Z"}', "comparison"),
        (b'{"windows": [], "now": "2026-03-01T12:00:00"}', "timezone"),
    ],
)
def test_something_else_is_no_window(body: bytes, complaint: str) -> None:
    """A body of another shape is refused, never read as an empty window."""
    with pytest.raises(ValidationError, match=complaint):
        windows_from_json(body)


@pytest.mark.parametrize("wrong", [{"total": float("nan")}, {"squares": -1.0}, {"count": -1}])
def test_impossible_sums_are_refused(wrong: dict[str, Any]) -> None:
    """Numbers that no pairs could have left don't reach a decision."""
    tally = Tally(groups={"dark": Group(1, {"metrics.pores": Deltas(**wrong)})})
    with pytest.raises(ValidationError):
        windows_from_json(windows_to_json((window(tally),), NOW))


def test_a_later_serving_is_understood() -> None:
    """Fields that this version doesn't know are passed over: serving and the operator are upgraded apart."""
    body = windows_to_json((window(Tally(asked=3)),), NOW).replace(b'"asked":3', b'"asked":3,"novelty":[1]')
    assert windows_from_json(body).windows[0].tally.asked == 3


def test_a_latency_lies_in_its_bucket() -> None:
    """Up to and including its bound; beyond all bounds in the last one."""
    assert Latencies.of(5.0, 1.6).buckets.index(1) == 0
    assert Latencies.of(5.1, 1.6).buckets.index(1) == 1
    assert Latencies.of(1e9, 20.0).buckets.index(1) == len(LATENCY_BOUNDS)
