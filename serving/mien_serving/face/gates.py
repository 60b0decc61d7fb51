"""The conditions that a photo must meet to be measured. Each gate is a number against a threshold, and an advice.

A gate is passed where its value is at most its threshold, except those in AT_LEAST: there it must be at least that.
"""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import Gate, Pose, Quality
from mien_serving.face.colour import lightness_of_luminance
from mien_serving.face.crop import CLIPPED, FaceCrop
from mien_serving.face.eyeglasses import frame_contrast
from mien_serving.face.eyes import iris_contrast
from mien_serving.face.grain import grain_of
from mien_serving.face.open_skin import OpenSkin
from mien_serving.face.shadow import unexplained_stops
from mien_serving.face.topology import LEFT_CHEEK, RIGHT_CHEEK

# Pixels of the photo's shorter side; 480 is what the common skin analysis services ask for.
LEAST_RESOLUTION: Final = 480.0
# Pixels of the shorter side of the face's box.
LEAST_FACE: Final = 120.0
# Part of the mesh's points inside the photo.
LEAST_INSIDE: Final = 0.98
# Degrees, either way.
MOST_YAW: Final = 20.0
MOST_PITCH: Final = 20.0
MOST_ROLL: Final = 25.0
# See sharpness_of; a Gaussian blur of 1 % of the face's width stays just below it.
LEAST_SHARPNESS: Final = 0.03
# L* of the brightest 1 % of the face. Eyes, teeth and shine reach it on any skin, so dark skin isn't called dark light.
LEAST_BRIGHTEST: Final = 35.0
# Part of the face's pixels with a clipped channel.
MOST_CLIPPED: Final = 0.05
# Stops (powers of two of luminance) between the cheeks: a ratio, so it says the same on every skin.
MOST_STOPS: Final = 1.0
LEAST_CHEEK_PIXELS: Final = 30
# Stops, see shadow.py: five faces have 1.2 to 1.4, recoloured ones at most 1.55; with shadows of 1.3 stops 1.63.
MOST_UNEXPLAINED: Final = 1.6
# Part of skin and lips, see open_skin.py: five faces have at most 0.04; with a hand on the mouth 0.063 or more.
MOST_HIDDEN: Final = 0.06
# Stops, see eyeglasses.py: five faces have at most 0.08, relit 0.10; with a wire of 1 mm 0.13, a frame of 4 mm 0.6.
MOST_FRAME: Final = 0.12
LEAST_SKIN: Final = 0.15
# Stops, see eyes.py: five faces have 1.6 or more, with painted lids at most 0.4 (and one of them 1.3).
LEAST_IRIS: Final = 0.8
# CIELAB, see open_skin.py.
MOST_CAST: Final = 4.0
# Per cent of the light, see grain.py: five faces have at most 2.5, in which a skin's own texture is counted too.
MOST_NOISE: Final = 4.5
# Likewise: five faces have 0.6 (one enlarged fourfold) or 2 and more (the others); under a beauty filter 0.46 at most.
LEAST_TEXTURE: Final = 0.5

AT_LEAST: Final = frozenset(
    {
        "resolution",
        "face_too_small",
        "face_out_of_bounds",
        "blur",
        "underexposed",
        "too_little_skin",
        "eyes_closed",
        "smoothed",
    }
)
# Without these a colour says more about the photo than about the skin.
NEEDED_FOR_TONE: Final = frozenset(
    {
        "face_too_small",
        "underexposed",
        "overexposed",
        "uneven_light",
        "shadow",
        "occlusion",
        "too_little_skin",
        "colour_cast",
    }
)

_THRESHOLDS: Final[Mapping[str, float]] = {
    "resolution": LEAST_RESOLUTION,
    "multiple_faces": 1.0,
    "face_too_small": LEAST_FACE,
    "face_out_of_bounds": LEAST_INSIDE,
    "pose_yaw": MOST_YAW,
    "pose_pitch": MOST_PITCH,
    "pose_roll": MOST_ROLL,
    "blur": LEAST_SHARPNESS,
    "underexposed": LEAST_BRIGHTEST,
    "overexposed": MOST_CLIPPED,
    "uneven_light": MOST_STOPS,
    "shadow": MOST_UNEXPLAINED,
    "occlusion": MOST_HIDDEN,
    "eyeglasses": MOST_FRAME,
    "too_little_skin": LEAST_SKIN,
    "eyes_closed": LEAST_IRIS,
    "colour_cast": MOST_CAST,
    "noise": MOST_NOISE,
    "smoothed": LEAST_TEXTURE,
}

_ADVICE: Final[Mapping[str, str]] = {
    "resolution": "Use a photo of at least 480 pixels on its shorter side.",
    "multiple_faces": "Only the largest face was analysed; take the photo alone.",
    "face_too_small": "Come closer to the camera, or send the photo in a higher resolution.",
    "face_out_of_bounds": "Move back a little, so that your whole face is in the photo.",
    "pose_yaw": "Turn your head until you look straight into the camera.",
    "pose_pitch": "Hold the camera at the height of your eyes and look straight into it.",
    "pose_roll": "Hold your head upright and the camera level.",
    "blur": "Hold the camera still, clean its lens and focus on your face.",
    "underexposed": "Add light: face a window or a lamp.",
    "overexposed": "Avoid direct sun and flash, or lower the exposure.",
    "uneven_light": "Turn towards the light, so that both sides of your face get the same.",
    "shadow": "Move until nothing throws a shadow onto your face.",
    "occlusion": "Free your face of hair, hands, masks and other things.",
    "eyeglasses": "Take off your glasses.",
    "too_little_skin": "Uncover your face and keep all of it in the photo.",
    "eyes_closed": "Open your eyes.",
    "colour_cast": "Face a window or a white lamp; avoid coloured light and filters.",
    "noise": "Add light: the camera's noise hides your skin.",
    "smoothed": "Switch off the camera's beauty filter, and send the photo as it was taken.",
}


def quality_of(
    photo: NDArray[np.uint8], points: NDArray[np.float64], face_count: int, pose: Pose, crop: FaceCrop
) -> Quality:
    """All gates of the analysed face; one that this photo doesn't allow to be judged is left out.

    So is uneven_light where one of the cheeks can't be seen; occlusion, too_little_skin and colour_cast in photos
    without colours; what is told by shape where the head is turned too far; see docs/face.md.

    Args:
        photo: H x W x 3, 0-255, sRGB.
        points: the face's mesh, 468 x 3 in pixels of the photo.
        face_count: faces found in the photo.
        pose: the analysed face's pose.
        crop: the analysed face, cut out.
    """
    height, width = photo.shape[:2]
    gates = [
        gate("resolution", min(height, width)),
        gate("multiple_faces", face_count),
        gate("face_too_small", float(np.ptp(points[:, :2], axis=0).min())),
        gate("face_out_of_bounds", inside_share(points, width, height)),
        gate("pose_yaw", abs(pose.yaw)),
        gate("pose_pitch", abs(pose.pitch)),
        gate("pose_roll", abs(pose.roll)),
        gate("blur", sharpness_of(crop)),
        gate("underexposed", brightest_of(crop)),
        gate("overexposed", clipped_share(crop)),
    ]
    failed = {one.code for one in gates if not one.passed}
    frontal, lit = not failed & {"pose_yaw", "pose_pitch"}, "underexposed" not in failed
    # What is out of focus has neither an iris nor fine texture to see, and there is one advice for that.
    sharp = "blur" not in failed
    skin, grain = OpenSkin(crop), grain_of(photo, points)
    # Under a coloured lamp nothing has the colour of skin.
    cast = skin.cast if lit else None
    white = cast is not None and cast <= MOST_CAST
    grainy = grain.noise is not None and grain.noise > MOST_NOISE
    values = {
        "uneven_light": stops_between_cheeks(crop),
        "shadow": unexplained_stops(skin) if frontal and lit else None,
        "occlusion": skin.hidden_share if lit else None,
        "eyeglasses": frame_contrast(photo, points) if frontal and lit and not grainy else None,
        "too_little_skin": skin.skin_share if white else None,
        "eyes_closed": iris_contrast(photo, points) if frontal and lit and sharp else None,
        "colour_cast": cast,
        "noise": grain.noise,
        "smoothed": grain.texture if sharp else None,
    }
    gates += [gate(code, value) for code, value in values.items() if value is not None]
    return Quality(passed=all(one.passed for one in gates), gates=tuple(gates))


def gate(code: str, value: float) -> Gate:
    """One gate's answer for a value, which is rounded to 3 decimals first, so that the answer follows what is shown."""
    value = round(float(value), 3)
    threshold = _THRESHOLDS[code]
    passed = value >= threshold if code in AT_LEAST else value <= threshold
    return Gate(code=code, value=value, threshold=threshold, passed=passed, advice=None if passed else _ADVICE[code])


def inside_share(points: NDArray[np.float64], width: int, height: int) -> float:
    """The part (0-1) of the mesh's points (468 x 3, pixels) that lie inside the photo."""
    x, y = points[:, 0], points[:, 1]
    return float(((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).mean())


def sharpness_of(crop: FaceCrop) -> float:
    """The variance of the Laplacian over the face's oval, divided by the variance of the grey values themselves.

    The division takes contrast out, so that soft light and dark skin aren't called blurred; the crop's fixed size
    takes the photo's resolution out. The variance of the Laplacian as a measure of focus: Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    grey = cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Without its rim, where the face ends.
    face = cv2.erode(crop.face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not face.any():
        return 0.0
    spread = float(grey[face].var())
    return float(cv2.Laplacian(grey, cv2.CV_32F)[face].var()) / spread if spread > 0 else 0.0


def brightest_of(crop: FaceCrop) -> float:
    """L* (0-100) that the brightest 1 % of the face's oval reach."""
    face = crop.luminance[crop.face]
    return float(lightness_of_luminance(np.percentile(face, 99))) if face.size else 0.0


def clipped_share(crop: FaceCrop) -> float:
    """The part (0-1) of the face's oval with a channel of 250 or more, whose colour is therefore lost."""
    face = crop.pixels[crop.face]
    return float((face >= CLIPPED).any(axis=1).mean()) if face.size else 0.0


def stops_between_cheeks(crop: FaceCrop) -> float | None:
    """How much more light one cheek gets than the other, in stops: |log2 of the ratio of median luminances|.

    None where one of them can't be seen.
    """
    right, left = (crop.luminance[crop.hull(cheek)] for cheek in (RIGHT_CHEEK, LEFT_CHEEK))
    if min(right.size, left.size) < LEAST_CHEEK_PIXELS:
        return None
    # A luminance of 0 is below what 8 bits can tell apart.
    least = 1 / 4096
    return float(abs(np.log2(max(float(np.median(left)), least) / max(float(np.median(right)), least))))
