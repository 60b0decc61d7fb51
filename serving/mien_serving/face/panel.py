"""The panel beside an annotated photo: close-up, pose, tone and gates in words and colours."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mien_core.model.face import MONK_SCALE, FaceReport, Gate
from mien_serving.face.gates import AT_LEAST

WIDTH: Final = 340
_MARGIN: Final = 18
_RIGHT: Final = WIDTH - _MARGIN
_ROW: Final = 19
_LINE: Final = 15
_WORDS_A_LINE: Final = 50

_TEXT: Final = (233, 236, 240)
_QUIET: Final = (146, 153, 164)
_PASSED: Final = (110, 214, 150)
_FAILED: Final = (255, 122, 108)
_RULE: Final = (48, 52, 60)

_SHORT_UNIT: Final = 3
# What a person calls a gate, the factor and unit it is shown in, and the decimals that say enough.
_GATES: Final = {
    "resolution": ("Resolution", 1, " px", 0),
    "multiple_faces": ("Faces", 1, "", 0),
    "face_too_small": ("Face size", 1, " px", 0),
    "face_out_of_bounds": ("Face in frame", 100, " %", 0),
    "pose_yaw": ("Yaw", 1, "°", 1),
    "pose_pitch": ("Pitch", 1, "°", 1),
    "pose_roll": ("Roll", 1, "°", 1),
    "blur": ("Sharpness", 1, "", 3),
    "underexposed": ("Lightest parts, L*", 1, "", 0),
    "overexposed": ("Clipped pixels", 100, " %", 1),
    "uneven_light": ("Uneven light", 1, " stops", 2),
    "shadow": ("Cast shadow", 1, " stops", 2),
    "occlusion": ("Covered", 100, " %", 1),
    "eyeglasses": ("Glasses' frame", 1, " stops", 2),
    "too_little_skin": ("Skin in view", 100, " %", 0),
    "eyes_closed": ("Open eyes", 1, " stops", 1),
    "colour_cast": ("Colour cast", 1, "", 1),
    "noise": ("Noise", 1, " %", 1),
    "smoothed": ("Fine texture", 1, " %", 1),
}


def panel_of(
    report: FaceReport,
    close_up: NDArray[np.uint8],
    measured: tuple[int, int, int] | None,
    background: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Draw the panel.

    Args:
        report: what it tells.
        close_up: WIDTH x WIDTH x 3, 0-255, sRGB; comes on top.
        measured: the skin's colour in sRGB, 0-255, where the report has a tone.
        background: sRGB, 0-255.

    Returns:
        Height x WIDTH x 3, 0-255, as high as its content needs.
    """
    advice = {gate.code: _wrapped(gate.advice) for gate in report.face.quality.gates if gate.advice is not None}
    lines = sum(len(wrapped) for wrapped in advice.values())
    height = WIDTH + 194 + _ROW * len(report.face.quality.gates) + _LINE * lines + 3 * len(advice) + _MARGIN
    image = Image.new("RGB", (WIDTH, height), background)
    image.paste(Image.fromarray(close_up), (0, 0))
    draw = ImageDraw.Draw(image)

    y = _pose(draw, report, WIDTH + 14)
    y = _tone(draw, report, measured, y + 12)
    draw.line([(_MARGIN, y), (_RIGHT, y)], fill=_RULE)
    y += 10
    quality = report.face.quality
    _words(draw, (_MARGIN, y), "Quality", _QUIET, size=12)
    verdict = "all gates passed" if quality.passed else f"{len(advice)} of {len(quality.gates)} gates failed"
    _words(draw, (_RIGHT, y), verdict, _PASSED if quality.passed else _FAILED, size=12, anchor="ra")
    y += 20
    for gate in quality.gates:
        y = _gate(draw, gate, advice.get(gate.code, ()), y)
    return np.asarray(image, dtype=np.uint8)


def _pose(draw: ImageDraw.ImageDraw, report: FaceReport, y: int) -> int:
    pose = report.face.pose
    third = (_RIGHT - _MARGIN) / 3
    for index, (name, degrees) in enumerate((("Yaw", pose.yaw), ("Pitch", pose.pitch), ("Roll", pose.roll))):
        x = _MARGIN + index * third
        _words(draw, (x, y), name, _QUIET, size=12)
        _words(draw, (x, y + 15), f"{degrees:+.1f}°", _TEXT, size=20)
    return y + 44


def _tone(draw: ImageDraw.ImageDraw, report: FaceReport, measured: tuple[int, int, int] | None, y: int) -> int:
    draw.line([(_MARGIN, y), (_RIGHT, y)], fill=_RULE)
    y += 10
    if report.tone is None or measured is None:
        _words(draw, (_MARGIN, y), "Tone", _QUIET, size=12)
        _words(draw, (_MARGIN, y + 17), "Not measured: light, size or colours don't allow it.", _TEXT, size=13)
        return y + 84
    tone = report.tone
    side = 34
    summary = f"Tone   ITA {tone.ita:.0f}° · {tone.tone_class.replace('_', ' ')} · {tone.undertone}"
    _words(draw, (_MARGIN, y), summary, _TEXT, size=13)
    draw.rounded_rectangle([_MARGIN, y + 22, _MARGIN + 2 * side, y + 22 + side], 5, fill=measured)
    # The ten tones, the nearest one larger.
    each = (_RIGHT - _MARGIN - 2 * side - 14) / len(MONK_SCALE)
    for index, code in enumerate(MONK_SCALE):
        left = _MARGIN + 2 * side + 14 + index * each
        nearest = index + 1 == tone.monk.tone
        shrink = 0 if nearest else 6
        draw.rectangle([left, y + 22 + shrink, left + each - 2, y + 22 + side - shrink], fill=f"#{code}")
        if nearest:
            draw.line([(left, y + 25 + side), (left + each - 2, y + 25 + side)], fill=_TEXT, width=2)
    _words(draw, (_MARGIN, y + 63), "measured", _QUIET, size=12)
    monk = f"Monk tone {tone.monk.tone}, distance {tone.monk.delta_e:.1f}"
    _words(draw, (_RIGHT, y + 63), monk, _QUIET, size=12, anchor="ra")
    return y + 84


def _gate(draw: ImageDraw.ImageDraw, gate: Gate, advice: tuple[str, ...], y: int) -> int:
    label, factor, unit, decimals = _GATES[gate.code]
    colour = _PASSED if gate.passed else _FAILED
    # A tick or a cross: the colour isn't needed to tell them apart.
    x, middle = _MARGIN, y + 7
    if gate.passed:
        draw.line([(x, middle), (x + 4, middle + 4), (x + 10, middle - 5)], fill=colour, width=2)
    else:
        draw.line([(x + 1, middle - 4), (x + 9, middle + 4)], fill=colour, width=2)
        draw.line([(x + 1, middle + 4), (x + 9, middle - 4)], fill=colour, width=2)
    _words(draw, (x + 20, y), label, _TEXT, size=13)
    # A long unit has room once, beside the threshold.
    value = f"{gate.value * factor:.{decimals}f}{unit if len(unit) <= _SHORT_UNIT else ''}"
    _words(draw, (_RIGHT - 104, y), value, _TEXT if gate.passed else colour, size=13, anchor="ra")
    bound = "min" if gate.code in AT_LEAST else "max"
    _words(draw, (_RIGHT, y), f"{bound} {gate.threshold * factor:g}{unit}", _QUIET, size=13, anchor="ra")
    y += _ROW
    for line in advice:
        _words(draw, (x + 20, y), line, _QUIET, size=12)
        y += _LINE
    return y + (3 if advice else 0)


def _wrapped(advice: str) -> tuple[str, ...]:
    lines = [""]
    for word in advice.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WORDS_A_LINE:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return tuple(lines)


def _words(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    colour: tuple[int, int, int],
    *,
    size: int,
    anchor: str = "la",
) -> None:
    draw.text(place, words, fill=colour, font=_font(size), anchor=anchor)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
