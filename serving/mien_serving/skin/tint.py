"""What a broad look shows: redness of cheeks and nose against the rest of the face, circles under the eyes."""

from typing import Final

import cv2
import numpy as np

from mien_serving.skin.broad import Broad
from mien_serving.skin.canvas import SIZE, Canvas, Mask
from mien_serving.skin.finding import Finding, bootstrap, midmean, patches, tile_means
from mien_serving.skin.topology import both

# Where flushing shows first.
_FLUSHING: Final = ("nose_bridge", "nose_tip", *both("nose_side", "cheek_upper", "cheek_middle", "cheek_outer"))
# Erythema index above the calm level at which a patch is worth pointing at.
_RED_PATCH: Final = 4.0


def redness(canvas: Canvas, broad: Broad) -> Finding | None:
    """How much redder cheeks and nose are than the face's calm parts, in units of the erythema index.

    The middle of cheeks and nose, less the level of forehead, temples, jaw and chin, so that neither the lamp's
    colour nor the skin's own matters, and single pimples don't. A face that is red all over isn't told from one under
    a red lamp. None where no calm part can be seen.
    """
    flushing = canvas.within(_FLUSHING) & (broad.labels >= 0)
    if broad.calm is None or not flushing.any():
        return None
    above = broad.erythema - np.float32(broad.calm)
    value = midmean(above[flushing])
    low, high = bootstrap(tile_means(above, flushing))
    return Finding(
        value=max(0.0, value),
        unit="erythema index",
        low=max(0.0, min(low, value)),
        high=max(high, value, 0.0),
        method="erythema index 100 log10(R/G) (Yamamoto et al. 2008) against the face's calm parts",
        canvas_size=SIZE,
        by_region={name: one - broad.calm for name, one in broad.by_region.items()},
        marks=patches(canvas.labels, (broad.labels >= 0) & (above > _RED_PATCH), above),
    )


_SIDES: Final = ("right", "left")
_LEAST_PIXELS: Final = 60


def dark_circles(canvas: Canvas, without: Mask) -> tuple[Finding, Finding] | None:
    """The colour under the eyes against the cheek below: its distance (CIE 1976), and its lightness alone.

    Medians in CIELAB of each side, so lines and lashes don't matter; the value is the mean of both sides. The distance
    counts where the skin under the eye is the darker. None where a side can't be seen.
    """
    window = canvas.window
    lab = np.zeros(canvas.linear.shape, dtype=np.float32)
    lab[window] = cv2.cvtColor(np.clip(canvas.linear[window], 0, 1), cv2.COLOR_LRGB2LAB)
    distances, drops, samples = {}, {}, []
    for side in _SIDES:
        eye = canvas.within((f"under_eye_{side}",)) & ~without
        cheek = canvas.within((f"cheek_upper_{side}",)) & ~without & ~canvas.clipped
        if min(eye.sum(), cheek.sum()) < _LEAST_PIXELS:
            return None
        below = np.median(lab[cheek], axis=0)
        change = np.median(lab[eye], axis=0) - below
        drops[f"under_eye_{side}"] = float(change[0])
        distances[f"under_eye_{side}"] = float(np.linalg.norm(change)) if change[0] < 0 else 0.0
        samples.append(tile_means(np.asarray(lab[..., 0], dtype=np.float32), eye) - below[0])
    distance, drop = float(np.mean(list(distances.values()))), float(np.mean(list(drops.values())))
    low, high = bootstrap(np.concatenate(samples))
    spread = max(drop - low, high - drop, 0.5)
    marks = patches(
        canvas.labels,
        canvas.within(("under_eye_right", "under_eye_left")),
        np.full((SIZE, SIZE), distance, dtype=np.float32),
    )
    return (
        Finding(
            value=distance,
            unit="CIELAB",
            low=max(0.0, distance - spread),
            high=distance + spread,
            method="distance of under-eye and cheek in CIELAB (CIE 1976)",
            canvas_size=SIZE,
            by_region=distances,
            marks=marks,
        ),
        Finding(
            value=drop,
            unit="L*",
            low=drop - spread,
            high=drop + spread,
            method="lightness of under-eye less cheek (CIE 1976)",
            canvas_size=SIZE,
            by_region=drops,
            marks=(),
        ),
    )
