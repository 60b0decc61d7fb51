"""A diary in plain English by fixed rules."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.model.cycle import DiaryMetrics, JournalContent, Period, SkinScan
from mien_core.model.insights import Diary, Span
from mien_core.rules.insights.claims import LONGEST, objection
from mien_core.rules.insights.summary import Trend, metric_trends, summary, trend

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
NOVEMBER = Span(FIRST, LAST)
SAVED = datetime(2026, 12, 1, tzinfo=UTC)


def entry(day: int, **fields: Any) -> JournalContent:
    defaults: dict[str, Any] = {"mood": None, "energy": None, "text": "", "tags": (), "cycle_day": None}
    return JournalContent(date(2026, 11, day), **{**defaults, **fields})


def bled(*days_after: int) -> list[Period]:
    """Days of bleeding, counted from the first of the month."""
    days = (FIRST + timedelta(days=one) for one in days_after)
    return [Period(str(uuid4()), "acme", "anna", day, None, None, (), SAVED) for day in days]


def scan(day: int, **known: float) -> SkinScan:
    names = ("radiance", "moisture", "texture", "pores", "dark_circles")
    metrics = DiaryMetrics(**{name: known.get(name) for name in names})
    return SkinScan(str(uuid4()), "acme", "anna", date(2026, 11, day), metrics, None, SAVED)


def test_a_whole_month_is_told() -> None:
    """How much there is, the cycle, mood and tags, energy, and how the skin changed, each by its figures."""
    journal = [
        entry(2, mood="calm", energy=40, tags=("sleep", "tea")),
        entry(9, mood="tired", energy=50, tags=("sleep",)),
        entry(20, mood="calm", energy=60, tags=("work",)),
        entry(25, energy=70, tags=("run", "sleep")),
    ]
    scans = [scan(3, radiance=50, moisture=60, dark_circles=70), scan(22, radiance=62, moisture=61, dark_circles=60)]
    assert summary(Diary(NOVEMBER, journal, bled(-26, 2, 3, 4), scans)) == (
        "From 1 November 2026 to 30 November 2026 your diary has 4 journal entries, 3 days of bleeding and 2 skin"
        " scans. A period began on 3 November 2026. 30 November 2026 is day 28 of your cycle, probably in its luteal"
        " phase. Your most frequent mood was calm (2 of 3 entries). You wrote most of sleep (3), run (1) and tea (1)."
        " Your energy was 55 of 100 on average, and rose by 20 points from the first half of that time to the second."
        " Of your skin's scores, radiance rose by 12 points and dark circles fell by 10 points from the first half of"
        " that time to the second. Your skin's scores of moisture stayed about the same."
    )


@pytest.mark.parametrize(
    ("diary", "told"),
    [
        (Diary(NOVEMBER, [], [], []), "From 1 November 2026 to 30 November 2026 there is nothing in your diary."),
        (Diary(Span(FIRST, FIRST), [], [], []), "On 1 November 2026 there is nothing in your diary."),
        (Diary(Span(FIRST, FIRST), [entry(1)], [], []), "On 1 November 2026 your diary has 1 journal entry."),
        (
            Diary(NOVEMBER, [], bled(-10), []),
            (
                "From 1 November 2026 to 30 November 2026 there is nothing in your diary."
                " 30 November 2026 is day 40 of your cycle, probably in its luteal phase."
            ),
        ),
        (
            Diary(Span(FIRST, FIRST), [], [], [scan(1, pores=47.6, texture=50)]),
            (
                "On 1 November 2026 your diary has 1 skin scan."
                " Your skin scan of 1 November 2026 shows, of 100 each: texture 50 and pores 48."
            ),
        ),
        (Diary(Span(FIRST, FIRST), [], [], [scan(1)]), "On 1 November 2026 your diary has 1 skin scan."),
        (
            Diary(Span(FIRST, FIRST), [entry(1, energy=30)], [], []),
            "On 1 November 2026 your diary has 1 journal entry. Your energy was 30 of 100 on average.",
        ),
    ],
)
def test_what_is_not_there_is_not_told(diary: Diary, told: str) -> None:
    """No sentence without something to say, and a diary without anything is said to have nothing."""
    assert summary(diary) == told


def test_halves_are_compared() -> None:
    """A day in the middle belongs to the first half; what isn't known counts on neither side."""
    span = Span(FIRST, date(2026, 11, 3))
    values = [(FIRST, 10.0), (date(2026, 11, 2), 30.0), (date(2026, 11, 3), None)]
    assert trend(span, values) == Trend(20.0, None)
    assert trend(span, [*values, (date(2026, 11, 3), 5.0)]).change == -15.0
    assert trend(span, []).change is None
    assert metric_trends(span, [scan(1, pores=10), scan(3, pores=40)])["pores"].change == 30.0


DAYS = st.integers(1, 30)
ENTRIES = st.lists(
    st.builds(
        entry,
        DAYS,
        mood=st.none() | st.sampled_from(["calm", "tired"]),
        energy=st.none() | st.floats(0, 100),
        tags=st.lists(st.sampled_from("abcd"), max_size=3).map(tuple),
    ),
    max_size=12,
).map(lambda entries: sorted(entries, key=lambda one: one.date))
SCANS = st.lists(st.builds(scan, DAYS, radiance=st.floats(0, 100), pores=st.floats(0, 100)), max_size=8)


@given(ENTRIES, st.lists(st.integers(-60, 29), max_size=8, unique=True), SCANS)
def test_every_diary_has_a_summary_that_may_be_shown(
    entries: list[JournalContent], bleeding: list[int], scans: list[SkinScan]
) -> None:
    """The same words each time, and none that would be refused from a language model."""
    diary = Diary(NOVEMBER, entries, bled(*bleeding), sorted(scans, key=lambda one: one.date))
    told = summary(diary)
    assert told == summary(diary)
    assert len(told) <= LONGEST
    assert objection(told) is None
    assert "None" not in told
    assert "nan" not in told
