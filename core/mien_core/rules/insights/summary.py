"""A diary in plain English by fixed rules: the same diary always gives the same words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import Final

from mien_core.model.cycle import DiaryMetrics, SkinScan
from mien_core.model.insights import Diary, Span
from mien_core.rules.cycle.days import cycle_day
from mien_core.rules.cycle.log import LoggedPeriod
from mien_core.rules.cycle.phases import CycleLog, cycle_log

# From here on a difference between the halves of a span is told as one: on scales of 100 points, less is a whim.
NOTABLE_POINTS: Final = 5.0
_MOST_TAGS: Final = 3

# not strftime's, which are the machine's language
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_METRIC_NAMES: Final = {
    "radiance": "radiance",
    "moisture": "moisture",
    "texture": "texture",
    "pores": "pores",
    "dark_circles": "dark circles",
}


@dataclass(frozen=True, slots=True)
class Trend:
    """The mean of a span's first half and that of its second; None where a half has no value."""

    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """How much the second half is above the first; None where one of them is missing."""
        return None if self.before is None or self.after is None else self.after - self.before


def summary(diary: Diary) -> str:
    """Say in a few sentences what a diary has: how much, the cycle, moods, tags, energy, and how the skin changed."""
    log = log_of(diary)
    parts = (_contents(diary), _cycle(diary.span, log), _moods(diary), _tags(diary), _energy(diary), _skin(diary))
    return " ".join(sentence for part in parts for sentence in part)


def log_of(diary: Diary) -> CycleLog:
    """What the diary's log of periods says of phases."""
    return cycle_log((LoggedPeriod(one.date, one.cycle_length) for one in diary.periods), diary.span.last)


def trend(span: Span, values: Iterable[tuple[date, float | None]]) -> Trend:
    """How values of days changed over a span; None is no value. A day in the middle belongs to the first half."""
    middle = span.first + (span.last - span.first) // 2
    halves: tuple[list[float], list[float]] = ([], [])
    for day, value in values:
        if value is not None:
            halves[day > middle].append(value)
    before, after = (fmean(half) if half else None for half in halves)
    return Trend(before, after)


def metric_trends(span: Span, scans: Sequence[SkinScan]) -> dict[str, Trend]:
    """How each metric changed over a span, by its name in DiaryMetrics."""
    return {name: trend(span, ((one.date, getattr(one.metrics, name)) for one in scans)) for name in _METRIC_NAMES}


def _contents(diary: Diary) -> Iterable[str]:
    span = diary.span
    when = f"From {_day(span.first)} to {_day(span.last)}" if span.first != span.last else f"On {_day(span.first)}"
    bleeding = sum(one.date in span for one in diary.periods)
    if not (diary.journal or diary.scans or bleeding):
        yield f"{when} there is nothing in your diary."
        return
    counts = (
        (len(diary.journal), "journal entry", "journal entries"),
        (bleeding, "day of bleeding", "days of bleeding"),
        (len(diary.scans), "skin scan", "skin scans"),
    )
    yield f"{when} your diary has {_joined([_count(*one) for one in counts if one[0]])}."


def _cycle(span: Span, log: CycleLog) -> Iterable[str]:
    begun = [start for start in log.starts if start in span]
    if begun:
        yield f"A period began on {_joined([_day(start) for start in begun])}."
    number, phase = cycle_day(span.last, log.starts), log.phase_of(span.last)
    if number is not None:
        yield f"{_day(span.last)} is day {number} of your cycle{f', probably in its {phase} phase' if phase else ''}."


def _moods(diary: Diary) -> Iterable[str]:
    moods = Counter(one.mood for one in diary.journal if one.mood)
    if moods:
        mood, times = _most_frequent(moods)[0]
        yield f"Your most frequent mood was {mood} ({times} of {_count(moods.total(), 'entry', 'entries')})."


def _tags(diary: Diary) -> Iterable[str]:
    tags = Counter(tag for one in diary.journal for tag in one.tags)
    if tags:
        named = [f"{tag} ({times})" for tag, times in _most_frequent(tags)[:_MOST_TAGS]]
        yield f"You wrote most of {_joined(named)}."


def _energy(diary: Diary) -> Iterable[str]:
    known = [one.energy for one in diary.journal if one.energy is not None]
    if not known:
        return
    change = trend(diary.span, ((one.date, one.energy) for one in diary.journal)).change
    course = "" if change is None else f", and {_course(change)} from the first half of that time to the second"
    yield f"Your energy was {fmean(known):.0f} of 100 on average{course}."


def _skin(diary: Diary) -> Iterable[str]:
    if not diary.scans:
        return
    found = {name: one.change for name, one in metric_trends(diary.span, diary.scans).items() if one.change is not None}
    if not found:
        newest = diary.scans[-1]
        known = [f"{_METRIC_NAMES[name]} {value:.0f}" for name, value in _metrics(newest.metrics)]
        if known:
            yield f"Your skin scan of {_day(newest.date)} shows, of 100 each: {_joined(known)}."
        return
    notable = [f"{_METRIC_NAMES[name]} {_course(one)}" for name, one in found.items() if abs(one) >= NOTABLE_POINTS]
    same = [_METRIC_NAMES[name] for name, one in found.items() if abs(one) < NOTABLE_POINTS]
    if notable:
        yield f"Of your skin's scores, {_joined(notable)} from the first half of that time to the second."
    if same:
        yield f"Your skin's scores of {_joined(same)} stayed about the same."


def _metrics(metrics: DiaryMetrics) -> Iterable[tuple[str, float]]:
    for name in _METRIC_NAMES:
        value: float | None = getattr(metrics, name)
        if value is not None:
            yield name, value


def _course(change: float) -> str:
    if abs(change) < NOTABLE_POINTS:
        return "stayed about the same"
    return f"{'rose' if change > 0 else 'fell'} by {abs(change):.0f} points"


def _most_frequent(counted: Counter[str]) -> list[tuple[str, int]]:
    """Of those that are as frequent, the first in the alphabet."""
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
