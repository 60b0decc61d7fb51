"""The skin library's front: a photo and its face in, a skin report out. Needs no platform; a notebook will do."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Final

import cv2
import numpy as np

from mien_core.model.face import FaceReport
from mien_core.model.skin import (
    MEASURES,
    Abstention,
    AbstentionReason,
    ConditionProbability,
    Evidence,
    Interval,
    MeasureName,
    Polygon,
    RegionValue,
    SkinMeasure,
    SkinRegion,
    SkinReport,
)
from mien_serving.skin import lesions, radiance, surface, tint, wrinkles
from mien_serving.skin.abstention import ADVICE, reasons
from mien_serving.skin.broad import Broad, broad_of
from mien_serving.skin.canvas import SIZE, Canvas, Frame, Mask, Pixels, canvas_of, frame_of
from mien_serving.skin.constancy import lamp_of
from mien_serving.skin.finding import Finding
from mien_serving.skin.pores import pores
from mien_serving.skin.probability import SOURCES, metrics_of, probabilities_of, skin_type_of
from mien_serving.skin.topology import REGIONS

# Marks that a report carries for each measure, the strongest first.
_MOST_MARKS: Final = 150
_DIGITS: Final = 4
# Radii of a lesion that other measures of the surface and of colour leave out.
_AROUND_LESIONS: Final = 2.0
_SURELY: Final = 0.7


class SkinEngine:
    """Analyses the skin of one face after another; has no state, so any thread may use it."""

    def analyse(
        self, pixels: Pixels, face_report: FaceReport, taken: Callable[[SkinMeasure], None] | None = None
    ) -> SkinReport:
        """Measure the skin of the face that a report describes.

        Args:
            pixels: the photo, H x W x 3, 0-255, sRGB, upright.
            face_report: what the face engine said of this photo.
            taken: is told of each measure as soon as it is taken, so that it can be shown while others are.
        """
        frame = frame_of(pixels.shape, face_report)
        lamp = lamp_of(pixels, frame.points)
        canvas = canvas_of(pixels, frame, lamp.gains)
        noise = surface.noise_of(canvas.luminance, canvas.skin)
        left_out = reasons(face_report, canvas, lamp, noise)
        found: dict[MeasureName, Finding] = {}
        measures: list[SkinMeasure] = []
        for name, finding in _findings(pixels, canvas, left_out):
            found[name] = finding
            measures.append(_measure(name, finding, frame))
            if taken is not None:
                taken(measures[-1])
        probabilities = probabilities_of(found)
        conditions = {measure: condition for condition, measure in SOURCES.items()}
        return SkinReport(
            regions=_regions(frame),
            measures=tuple(measures),
            probabilities=tuple(
                ConditionProbability(condition=condition, probability=probability)
                for condition, probability in probabilities.items()
            ),
            abstained=tuple(
                Abstention(
                    measure=name, condition=conditions.get(name), reason=left_out[name], advice=ADVICE[left_out[name]]
                )
                for name in MEASURES
                if name in left_out
            ),
            skin_type=skin_type_of(found, probabilities),
            metrics=metrics_of(found),
        )


def _findings(
    pixels: Pixels, canvas: Canvas, left_out: dict[MeasureName, AbstentionReason]
) -> Iterator[tuple[MeasureName, Finding]]:
    """Take every measure that isn't left out, in the order of MEASURES; one that finds nothing joins those that are."""
    brown = lesions.spots_in(canvas) if "spots" not in left_out else []
    red = lesions.pimples_in(canvas) if "acne" not in left_out else []
    marked = lesions.covered([*brown, *red], _AROUND_LESIONS)
    # Only what is surely a lesion may break a line: a piece of a wrinkle can look a little like a spot.
    cores = lesions.covered([one for one in (*brown, *red) if one.sureness >= _SURELY], 1.0)
    looks: wrinkles.Views = wrinkles.lines_in(canvas, cores) if "wrinkles" not in left_out else ([],)
    lines = _drawn(line.mark.outline for line in looks[0])

    @cache
    def relief() -> surface.Surface:
        return surface.surface_of(canvas, marked, lines)

    @cache
    def broad() -> Broad:
        return broad_of(canvas, marked)

    @cache
    def circles() -> tuple[Finding, Finding] | tuple[None, None]:
        return tint.dark_circles(canvas, marked) or (None, None)

    takers: Mapping[MeasureName, Callable[[], Finding | None]] = {
        "acne": lambda: lesions.acne(canvas, red),
        "pores": lambda: pores(pixels, canvas),
        "wrinkles": lambda: wrinkles.wrinkles(canvas, looks),
        "radiance": lambda: radiance.radiance(canvas, broad()),
        "redness": lambda: tint.redness(canvas, broad()),
        "dryness": lambda: surface.dryness(canvas, relief()),
        "spots": lambda: lesions.spots(canvas, brown),
        "texture": lambda: surface.texture(canvas, relief()),
        "dark_circles": lambda: circles()[0],
        "dark_circles_lightness": lambda: circles()[1],
        "shine": lambda: radiance.shine(canvas),
    }
    for name in MEASURES:
        if name in left_out:
            continue
        finding = takers[name]()
        if finding is None:
            left_out[name] = "smoothed" if name == "pores" else "hidden"
        else:
            yield name, finding


def _drawn(outlines: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> Mask:
    canvas = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.round(outline - 0.5).astype(np.int32)], 1)
    return np.asarray(cv2.dilate(canvas, np.ones((5, 5), np.uint8)) > 0, dtype=np.bool_)


def _regions(frame: Frame) -> tuple[SkinRegion, ...]:
    scale = (frame.width, frame.height)
    return tuple(
        SkinRegion(name=name, polygon=_polygon(frame.points[list(outline), :2] / scale))
        for name, outline in REGIONS.items()
    )


def _measure(name: MeasureName, finding: Finding, frame: Frame) -> SkinMeasure:
    value = round(finding.value, _DIGITS)
    strongest = sorted(finding.marks, key=lambda mark: -mark.strength)[:_MOST_MARKS]
    return SkinMeasure(
        name=name,
        value=value,
        unit=finding.unit,
        interval=Interval(
            low=min(round(finding.low, _DIGITS), value),
            high=max(round(finding.high, _DIGITS), value),
        ),
        by_region=tuple(
            RegionValue(region=region, value=round(one, _DIGITS)) for region, one in finding.by_region.items()
        ),
        evidence=tuple(
            Evidence(
                region=mark.region,
                polygon=_polygon(frame.relative(mark.outline, finding.canvas_size)),
                strength=round(mark.strength, _DIGITS),
            )
            for mark in strongest
        ),
        method=finding.method,
        proxy=finding.proxy,
    )


def _polygon(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Polygon:
    return tuple((x, y) for x, y in np.round(points, 5).tolist())
