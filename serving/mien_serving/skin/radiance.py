"""Light on the skin: radiance, the soft highlights of a face, and shine, the lamp's own reflection in its oil."""

from typing import Final

import cv2
import numpy as np

from mien_serving.skin.broad import Broad
from mien_serving.skin.canvas import SIZE, Canvas, Mask, Plane
from mien_serving.skin.finding import NAMES, Finding, bootstrap, bootstrap_mean, patches, region_medians, tile_means
from mien_serving.skin.topology import CHEEKS, FOREHEAD, T_ZONE, both

# Where a face catches light: its convex parts.
_BULGES: Final = (
    *FOREHEAD,
    "glabella",
    "nose_bridge",
    "nose_tip",
    "chin",
    *both("cheek_upper", "cheek_middle", "cheek_outer"),
)
# Percentiles of the light that stand for the highlights and for the shaded side of the convex parts.
_HIGHLIGHT: Final = 92
_SHADE: Final = 30
# Part of the rise from which a patch is worth pointing at.
_POINTED_AT: Final = 0.85
# Added white light from which an eye calls a patch shiny, relative to the skin's own.
_SHINY: Final = 0.3


def radiance(canvas: Canvas, broad: Broad) -> Finding:
    """How far the soft highlights rise: the 92nd percentile of the face's broad light over its 30th, in stops.

    After Matsubara, "Differences in the surface and subsurface reflection characteristics of facial skin by age group"
    (2012): a face looks radiant by the soft reflection on its convex parts. The lamp's side-to-side slope is taken out
    first. A ratio of light on one face, so neither exposure nor the skin's own colour enters; between lesions and
    without what a flush takes, so that these don't pass for light.
    """
    usable = canvas.within(_BULGES) & (broad.labels >= 0)
    soft = broad.light
    down, across = np.nonzero(usable)
    if len(down) == 0:
        return Finding(0.0, "stops", 0.0, 0.0, "", SIZE, proxy=True)
    values = soft[down, across].astype(np.float64)
    design = np.stack([across / SIZE - 0.5, down / SIZE - 0.5, np.ones(len(down))], axis=1)
    slope = np.linalg.lstsq(design, values, rcond=None)[0]
    level = soft - (np.arange(SIZE) / SIZE * slope[0]).astype(np.float32)
    tiles = tile_means(level, usable)
    chosen = level[usable]
    shade, highlight = np.percentile(chosen, (_SHADE, _HIGHLIGHT)).tolist()
    value = highlight - shade
    low, high = bootstrap(tiles - shade, _HIGHLIGHT)
    labels = np.where(usable, canvas.labels, -1).astype(np.int16)
    return Finding(
        value=value,
        unit="stops",
        low=min(low, value),
        high=max(high, value),
        method="rise of the soft highlights over the face's shaded parts (after Matsubara 2012)",
        canvas_size=SIZE,
        proxy=True,
        by_region={name: one - shade for name, one in region_medians(level, labels).items()},
        marks=patches(canvas.labels, usable & (level > shade + _POINTED_AT * value), level - shade),
    )


def shine(canvas: Canvas) -> Finding:
    """The part (in per cent) of T-zone and cheeks on which the lamp's own white is added to the skin's colour.

    Dichromatic reflection (Shafer, "Using color to separate reflection components", 1985): each pixel is a sum of the
    skin's colour and the lamp's. The skin's colour is the region's median; the two shares follow by least squares.
    """
    usable = canvas.within((*T_ZONE, *CHEEKS))
    added = added_white(canvas, usable)
    shiny = (added > _SHINY) & usable
    value = float(shiny[usable].mean()) * 100 if usable.any() else 0.0
    low, high = bootstrap_mean(tile_means(shiny.astype(np.float32) * 100, usable))
    sizes, parts = (np.bincount(canvas.labels[mask], minlength=len(NAMES)) for mask in (usable, shiny))
    by_region = {
        name: 100 * float(part) / float(size) for name, part, size in zip(NAMES, parts, sizes, strict=True) if size
    }
    return Finding(
        value=value,
        unit="% of skin area",
        low=min(low, value),
        high=max(high, value),
        method="dichromatic reflection (Shafer 1985)",
        canvas_size=SIZE,
        proxy=True,
        by_region=by_region,
        marks=patches(canvas.labels, shiny, added),
    )


def added_white(canvas: Canvas, usable: Mask) -> Plane:
    """The lamp's share of each pixel's light relative to the skin's, SIZE x SIZE; what is burnt out counts fully."""
    smooth = cv2.GaussianBlur(canvas.linear, (0, 0), 1.5)
    if not usable.any():
        return np.zeros((SIZE, SIZE), dtype=np.float32)
    body = np.median(smooth[usable], axis=0).astype(np.float64)
    size = float(body.mean())
    body /= size
    white = np.ones(3)
    matrix = np.stack([body, white], axis=1)
    # Where the skin is nearly grey the two can't be told apart, and the damping leaves nothing to the lamp.
    gram = matrix.T @ matrix + np.diag([0.0, 0.02])
    solve = np.linalg.solve(gram, matrix.T)
    lamp = (smooth @ solve[1].astype(np.float32)) / np.float32(size)
    brighter = smooth.mean(axis=2) / np.float32(size)
    lamp = lamp - np.float32(np.median(lamp[usable]))
    return np.asarray(np.where(canvas.clipped, 1.0, np.minimum(lamp, brighter - 1)), dtype=np.float32)
