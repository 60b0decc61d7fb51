"""What stands on a photo's page: the reports' numbers, in the words and on the scales that people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mien_core.model.face import MONK_SCALE, Gate, Tone
from mien_core.model.skin import CONDITIONS, MeasureName, SkinMeasure
from mien_core.rules.skin import PRESENT_ABOVE
from mien_local import words
from mien_local.analysed import Analysed
from mien_local.page.pictures import Outline, Window
from mien_local.page.scales import Bar, bar, place_between
from mien_serving.face.gates import AT_LEAST
from mien_serving.skin.probability import CURVES

# Where the classes of the individual typology angle begin, in degrees, and where the scale on the page ends.
_TONE_CLASSES: Final = (
    (-60.0, "dark"),
    (-30.0, "brown"),
    (10.0, "tan"),
    (28.0, "intermediate"),
    (41.0, "light"),
    (55.0, "very light"),
)
_ITA_END: Final = 90.0


@dataclass(frozen=True)
class GateRow:
    """A quality gate; bound is `at least` or `at most`."""

    label: str
    passed: bool
    value: str
    bound: str
    threshold: str
    bar: Bar
    advice: str | None


@dataclass(frozen=True)
class ToneClass:
    """A class of the ITA scale, where on the scale it begins and how wide it is (0-100); chosen: the photo's."""

    name: str
    left: float
    width: float
    chosen: bool


@dataclass(frozen=True)
class ToneScale:
    """The tone on its scales: measured is the skin's own colour; ita where on the scale it lies (0-100)."""

    measured: str | None
    monk: tuple[str, ...]
    ita: float
    classes: tuple[ToneClass, ...]


@dataclass(frozen=True)
class ConditionRow:
    """A condition: percent is its probability (0-100), None where the photo can't show it, for the reason given."""

    label: str
    percent: float | None
    present: bool
    reason: str | None
    advice: str | None


@dataclass(frozen=True)
class MeasureCard:
    """A measure; seen says from which value on a careful layman would see it, None where nobody was asked."""

    name: MeasureName
    label: str
    value: str
    unit: str
    low: str
    high: str
    seen: str | None
    bar: Bar
    proxy: bool
    method: str
    outlines: tuple[Outline, ...]
    regions: tuple[tuple[str, str], ...]


def focus(analysed: Analysed) -> str:
    """CSS's object-position for the photo: where the face is, so that no frame cuts it off."""
    box = analysed.face.face.bounding_box
    middle = (box.left + box.width / 2, box.top + box.height / 2)
    return " ".join(f"{place_between(place, 0, 1):.0f}%" for place in middle)


def gate_rows(gates: Sequence[Gate]) -> tuple[GateRow, ...]:
    """The gates, failed ones first."""
    return tuple(_gate_row(gate) for gate in sorted(gates, key=lambda gate: gate.passed))


def _gate_row(gate: Gate) -> GateRow:
    known = words.gate_words(gate.code)
    return GateRow(
        label=known.label,
        passed=gate.passed,
        value=known.shown(gate.value),
        bound="at least" if gate.code in AT_LEAST else "at most",
        threshold=known.shown(gate.threshold),
        bar=bar(gate.value, gate.threshold),
        advice=gate.advice,
    )


def tone_scale(tone: Tone, measured: str | None) -> ToneScale:
    """A tone's place among the ten Monk tones and on the ITA scale."""
    start = _TONE_CLASSES[0][0]
    ends = [begin for begin, _ in _TONE_CLASSES[1:]] + [_ITA_END]
    spans = [
        (name, place_between(begin, start, _ITA_END), place_between(end, start, _ITA_END))
        for (begin, name), end in zip(_TONE_CLASSES, ends, strict=True)
    ]
    chosen = tone.tone_class.replace("_", " ")
    return ToneScale(
        measured=measured,
        monk=tuple(f"#{code}" for code in MONK_SCALE),
        ita=place_between(tone.ita, start, _ITA_END),
        classes=tuple(ToneClass(name, left, right - left, name == chosen) for name, left, right in spans),
    )


def condition_rows(analysed: Analysed) -> tuple[ConditionRow, ...]:
    """All eight conditions: the most probable first, then those that the photo can't show."""
    left_out = {one.condition: one for one in analysed.skin.abstained}
    rows = []
    for condition in CONDITIONS:
        probability = analysed.skin.probability_of(condition)
        abstained = left_out.get(condition)
        rows.append(
            ConditionRow(
                label=words.named(condition, words.CONDITIONS),
                percent=None if probability is None else 100 * probability,
                present=probability is not None and probability > PRESENT_ABOVE,
                reason=words.named(abstained.reason, words.REASONS) if abstained else None,
                advice=abstained.advice if abstained else None,
            )
        )
    return tuple(sorted(rows, key=lambda row: -1.0 if row.percent is None else row.percent, reverse=True))


def measure_card(measure: SkinMeasure, window: Window) -> MeasureCard:
    """A measure with its evidence, as outlines in the window around the face."""
    curve = CURVES.get(measure.name)
    seen = None
    if curve is not None:
        seen = f"dull from {number(curve.half)} downwards" if curve.falling else f"seen from {number(curve.half)} on"
    unit = measure.unit.replace("cm2", "cm²")
    return MeasureCard(
        name=measure.name,
        label=words.named(measure.name, words.MEASURES),
        value=number(measure.value),
        unit=unit,
        low=number(measure.interval.low),
        high=number(measure.interval.high),
        seen=seen,
        bar=bar(measure.value, None if curve is None else curve.half, measure.interval.low, measure.interval.high),
        proxy=measure.proxy,
        method=measure.method,
        outlines=tuple(
            Outline(window.corners(one.polygon), f"{words.readable(one.region)}, strength {number(one.strength)}")
            for one in measure.evidence
        ),
        regions=tuple((words.readable(one.region), number(one.value)) for one in measure.by_region),
    )


def time_rows(milliseconds: Mapping[str, float]) -> tuple[tuple[str, int, float], ...]:
    """Each step with its depth and its milliseconds: `serving.mesh` is a part of `serving`, one deeper."""
    split = [(name.split("."), spent) for name, spent in milliseconds.items()]
    return tuple((words.named(path[-1], words.STEPS), len(path) - 1, spent) for path, spent in split)


def number(value: float) -> str:
    """Three digits and at most four decimals, never in powers of ten."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{round(value, 4) + 0.0:.3g}"  # noqa: PLR2004 - three digits are whole from here on
