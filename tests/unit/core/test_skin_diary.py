"""What a photo adds to the skin diary, and how that differs from what it has."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.errors import Rejected
from mien_core.model.cycle import DiaryMetrics, SkinScan
from mien_core.model.face import Gate, Quality
from mien_core.model.skin import SkinMetrics, SkinReport
from mien_core.rules.cycle.log import LoggedPeriod
from mien_core.rules.cycle.phases import CycleLog, cycle_log
from mien_core.rules.skin_diary import MetricChanges, change_in_phase, changes, require_metrics
from tests.makers import skin_report

PASSED = Quality(passed=True, gates=())
TODAY = date(2026, 11, 20)
NOTHING: dict[str, Any] = dict.fromkeys(("radiance", "moisture", "texture", "pores", "dark_circles"))


def metrics(**known: float) -> DiaryMetrics:
    return DiaryMetrics(**{**NOTHING, **known})


def scan(days_ago: int, cycle_day: int | None = None, **known: float) -> SkinScan:
    day = TODAY - timedelta(days=days_ago)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return SkinScan(str(uuid4()), "acme", "anna", day, metrics(**known), cycle_day, at)


def began(*days_ago: int) -> CycleLog:
    return cycle_log([LoggedPeriod(TODAY - timedelta(days=one)) for one in days_ago], TODAY)


def unseen(**known: float) -> SkinReport:
    return skin_report().model_copy(update={"metrics": SkinMetrics(**{**NOTHING, **known})})


def test_a_scan_has_the_reports_metrics() -> None:
    """Each of the five to every digit, and what the photo can't show is no number."""
    assert require_metrics(skin_report(), PASSED) == DiaryMetrics(62.0, 55.5, 70.25, None, 80.0)
    assert require_metrics(unseen(pores=0.0), PASSED) == metrics(pores=0.0)


@pytest.mark.parametrize(
    ("gates", "code", "advice"),
    [
        ((), "skin_not_visible", "Hold the camera still."),
        ((("blur", False),), "blur", "Do something about blur."),
        ((("pose", True), ("multiple_faces", False), ("underexposed", False)), "underexposed", "about underexposed."),
    ],
)
def test_a_photo_that_shows_none_of_them_is_refused(
    gates: tuple[tuple[str, bool], ...], code: str, advice: str
) -> None:
    """With the code and the advice of the first gate that has to do with the skin, as everywhere."""
    made = tuple(
        Gate(code=name, value=0.0, threshold=1.0, passed=passed, advice=f"Do something about {name}.")
        for name, passed in gates
    )
    with pytest.raises(Rejected, match=advice) as refused:
        require_metrics(unseen(), Quality(passed=not gates, gates=made))
    assert refused.value.code == code


def test_a_change_is_against_the_mean() -> None:
    """Of those that know the metric, in points; where either side doesn't know it, there is none."""
    others = [metrics(radiance=50, pores=10), metrics(radiance=61), metrics(moisture=5)]
    assert changes(metrics(radiance=60, texture=1, pores=7.04), others) == MetricChanges(4.5, None, None, -3.0, None)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5), st.floats(0, 100), st.floats(0, 100))
def test_a_better_scan_is_never_told_to_be_worse(others: list[float], one: float, better: float) -> None:
    """Changes lie within the scale and grow with the metric."""
    low, high = sorted([one, better])
    of_low, of_high = (
        changes(metrics(radiance=value), [metrics(radiance=other) for other in others]).radiance
        for value in (low, high)
    )
    assert of_low is not None
    assert of_high is not None
    assert -100 <= of_low <= of_high <= 100


def test_only_scans_of_the_same_phase_count() -> None:
    """By the log, and by the day of the cycle that the user said; the skin of other phases changes nothing."""
    log = began(0, 28, 56)
    # day 15 of the cycle before, day 15 of the one before that, day 3, and one that the user places on day 16
    earlier = [scan(14, radiance=40), scan(42, radiance=50), scan(54, radiance=90), scan(1, cycle_day=16, radiance=60)]
    found = change_in_phase(scan(0, cycle_day=15, radiance=55), earlier, log)
    assert found == MetricChanges(5.0, None, None, None, None)
    bleeding = change_in_phase(scan(0, radiance=55), earlier, log)
    assert bleeding == MetricChanges(-35.0, None, None, None, None)


def test_without_anything_to_compare_with_there_is_no_change() -> None:
    """No earlier scan in that phase, no log, or a phase that nobody knows."""
    assert change_in_phase(scan(0, radiance=55), [], began(3)) is None
    assert change_in_phase(scan(0, radiance=55), [scan(20, radiance=50)], began(3, 31)) is None
    assert change_in_phase(scan(0, radiance=55), [scan(1, radiance=50)], began()) is None
    assert change_in_phase(scan(0, radiance=55), [scan(1, radiance=50)], began(80)) is None
    known = change_in_phase(scan(0, radiance=55), [scan(1, pores=50)], began(3))
    assert known == MetricChanges(None, None, None, None, None)
