"""What a photo can't show: what its light, sharpness, size or angle don't allow is left out, with a reason."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from mien_core.model.face import FaceReport
from mien_core.model.skin import MEASURES, AbstentionReason, MeasureName
from mien_serving.face.tone import LEAST_CHROMA
from mien_serving.skin.canvas import IOD, Canvas
from mien_serving.skin.constancy import Lamp
from mien_serving.skin.pores import LEAST_EYE_DISTANCE
from mien_serving.skin.topology import CHEEKS, FOREHEAD, NOSE, UNDER_EYES, both

# Pixels between the eyes: below the first a wrinkle is narrower than a pixel, below the second not even colours of
# regions are to be had.
LEAST_FOR_DETAIL: Final = 100.0
LEAST_AT_ALL: Final = 60.0
# Flakes of 1 mm are 2 pixels wide from here on; painted onto smaller faces they weren't found.
LEAST_FOR_FLAKES: Final = IOD
# Degrees between the lamp's estimated colour and grey from which colours are guesses.
MOST_CAST: Final = 14.0
# Hue angle of skin in CIELAB (degrees): published means lie at 45 to 75, the Monk tones at 49 to 95, and a lamp that
# can't be taken out wholly adds to that; green or blue skin is beyond. Where there is hardly any chroma, as on very
# light and very dark skin, the hue says nothing.
_SKIN_HUE: Final = (-10.0, 125.0)
_LEAST_CHROMA_FOR_HUE: Final = 12.0
# Camera noise (deviation of the light's logarithm) in which fine detail drowns.
MOST_NOISE: Final = 0.0125

_DETAIL: Final[frozenset[MeasureName]] = frozenset({"acne", "spots", "wrinkles", "texture", "dryness", "pores"})
_COLOUR: Final[frozenset[MeasureName]] = frozenset(
    {"acne", "spots", "redness", "dark_circles", "dark_circles_lightness", "shine"}
)
_SHADING: Final[frozenset[MeasureName]] = frozenset(
    {"redness", "radiance", "shine", "dark_circles", "dark_circles_lightness"}
)
# A frame lies on lids and under-eyes and looks like a line; its lenses tint and reflect.
_AROUND_EYES: Final[frozenset[MeasureName]] = frozenset(
    {"wrinkles", "texture", "dark_circles", "dark_circles_lightness", "shine"}
)
_NEAR_THE_EYES: Final[frozenset[MeasureName]] = frozenset({"dark_circles", "dark_circles_lightness", "pores"})
# What a filter takes away, and what it leaves a wrong share of.
_SMOOTHED: Final[frozenset[MeasureName]] = _DETAIL | {"shine"}

# For each measure the regions it needs, and the part of them that must be seen.
_NEEDED: Final[Mapping[MeasureName, tuple[tuple[str, ...], float]]] = MappingProxyType(
    {
        "acne": ((*CHEEKS, *NOSE, "chin"), 0.5),
        "spots": ((*CHEEKS, *NOSE, "chin"), 0.5),
        "pores": (NOSE, 0.5),
        "wrinkles": ((*FOREHEAD, "glabella", *both("crows_feet", "under_eye", "cheek_upper", "cheek_middle")), 0.5),
        "radiance": (("nose_bridge", *both("cheek_upper", "cheek_middle"), "chin"), 0.6),
        "redness": (("nose_bridge", *both("cheek_upper", "cheek_middle")), 0.6),
        "dryness": ((*CHEEKS, "chin"), 0.5),
        "texture": ((*CHEEKS, "chin"), 0.5),
        "dark_circles": ((*UNDER_EYES, *both("cheek_upper")), 0.6),
        "dark_circles_lightness": ((*UNDER_EYES, *both("cheek_upper")), 0.6),
        "shine": ((*CHEEKS, "nose_bridge"), 0.5),
    }
)

ADVICE: Final[Mapping[AbstentionReason, str]] = MappingProxyType(
    {
        "resolution": "Come closer to the camera, or send the photo in a higher resolution.",
        "blur": "Hold the camera still, clean its lens and focus on your face.",
        "light": "Face a window or a white lamp, so that your face gets even, plain light.",
        "pose": "Look straight into the camera.",
        "hidden": "Free your face of hair, glasses and hands, and keep all of it in the photo.",
        "colourless": "Send a photo in colour.",
        "smoothed": "Switch off the camera's beauty filter, and send the photo as it was taken.",
    }
)


def reasons(report: FaceReport, canvas: Canvas, lamp: Lamp, noise: float) -> dict[MeasureName, AbstentionReason]:
    """Why each measure that this photo can't show is left out; measures that aren't named can be taken.

    Args:
        report: the face, whose failed gates count.
        canvas: the face, cut out.
        lamp: the light's estimated colour.
        noise: deviation of the light's logarithm, see surface.noise_of.
    """
    failed = {gate.code for gate in report.face.quality.gates if not gate.passed}
    distance = canvas.frame.eye_distance
    everything = frozenset(MEASURES)
    colour = _doubt_about_colour(canvas, lamp)
    # In this order: the first reason that a measure meets is the one that is given.
    doubts: tuple[tuple[bool, frozenset[MeasureName], AbstentionReason], ...] = (
        (distance < LEAST_AT_ALL, everything, "resolution"),
        (bool(failed & {"pose_yaw", "pose_pitch"}), everything, "pose"),
        (bool(failed & {"underexposed", "overexposed"}), everything, "light"),
        (distance < LEAST_FOR_DETAIL, _DETAIL, "resolution"),
        (distance < LEAST_FOR_FLAKES, frozenset({"dryness"}), "resolution"),
        (distance < LEAST_EYE_DISTANCE, frozenset({"pores"}), "resolution"),
        ("blur" in failed, _DETAIL, "blur"),
        (noise > MOST_NOISE, _DETAIL, "light"),
        ("noise" in failed, _DETAIL, "light"),
        ("smoothed" in failed, _SMOOTHED, "smoothed"),
        ("uneven_light" in failed, _SHADING, "light"),
        # A shadow's edge looks like a line and like relief, and its inside like a patch.
        ("shadow" in failed, _SHADING | _DETAIL, "light"),
        ("colour_cast" in failed, _COLOUR, "light"),
        ("too_little_skin" in failed, everything, "hidden"),
        # A hand has skin's own colour and a beard thins out: what is left of the cheeks may be either. Under the eyes
        # and on the nose covers are rare, and canvas.skin finds those that aren't skin.
        ("occlusion" in failed, everything - _NEAR_THE_EYES, "hidden"),
        ("eyeglasses" in failed, _AROUND_EYES, "hidden"),
        # What is compared within a face needs both of its sides; how much of one is left hangs on how it is held.
        ("face_out_of_bounds" in failed, _SHADING, "hidden"),
        (colour is not None, _COLOUR, colour or "light"),
        (True, _hidden(canvas), "hidden"),
    )
    found: dict[MeasureName, AbstentionReason] = {}
    for doubtful, names, reason in doubts:
        if doubtful:
            for name in names:
                found.setdefault(name, reason)
    return found


def _hidden(canvas: Canvas) -> frozenset[MeasureName]:
    return frozenset(
        name
        for name, (regions, share) in _NEEDED.items()
        if np.mean([canvas.visible[region] for region in regions]) < share
    )


def _doubt_about_colour(canvas: Canvas, lamp: Lamp) -> AbstentionReason | None:
    chosen = canvas.labels >= 0
    if not chosen.any():
        return "hidden"
    colour = np.median(canvas.linear[chosen], axis=0).reshape(1, 1, 3)
    _, a, b = cv2.cvtColor(np.clip(colour, 0, 1).astype(np.float32), cv2.COLOR_LRGB2LAB)[0, 0]
    chroma = float(np.hypot(a, b))
    if chroma < LEAST_CHROMA:
        return "colourless"
    hue = float(np.degrees(np.arctan2(b, a)))
    unlike_skin = chroma >= _LEAST_CHROMA_FOR_HUE and not _SKIN_HUE[0] <= hue <= _SKIN_HUE[1]
    return "light" if lamp.angle > MOST_CAST or unlike_skin else None
