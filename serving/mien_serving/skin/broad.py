"""The face without its details: light and redness over 3 mm, between lesions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_serving.skin.canvas import PIXELS_PER_MM, Canvas, Mask, Plane
from mien_serving.skin.finding import midmean, region_midmeans
from mien_serving.skin.smoothing import masked
from mien_serving.skin.topology import FOREHEAD, both

_SIGMA: Final = 3.0 * PIXELS_PER_MM
# A tenth of the step from black to the next of 256 values.
_LEAST_LIGHT: Final = np.float32(3e-5)
_INDEX: Final = np.float32(100 / np.log(10))
_CALM: Final = (*FOREHEAD, "glabella", *both("temple", "jaw", "cheek_lower"), "chin")
# The calmest of these regions: one that flushes too, or lies in a shadow's colour, doesn't set the level.
_CALM_PERCENTILE: Final = 33
# Erythema index above the calm level that any face has here and there.
_USUAL: Final = 2.0


@dataclass(frozen=True)
class Broad:
    """linear: light relative to white (SIZE x SIZE x 3, 0-1) over 3 mm. labels: as the canvas's, between lesions."""

    linear: NDArray[np.float32]
    labels: NDArray[np.int16]

    @cached_property
    def erythema(self) -> Plane:
        """Erythema index 100 log10(R / G) (Yamamoto et al. 2008).

        Of light that was averaged first: a dark pixel's eight bits and a camera's noise tell little by themselves.
        """
        red, green = (self.linear[..., part] + _LEAST_LIGHT for part in (0, 1))
        return np.asarray(np.log(red / green) * _INDEX, dtype=np.float32)

    @cached_property
    def by_region(self) -> dict[str, float]:
        """Each region's erythema index."""
        return region_midmeans(self.erythema, self.labels)

    @cached_property
    def calm(self) -> float | None:
        """The erythema index of the face's calm parts: forehead, temples, jaw, lower cheeks, chin."""
        seen = [self.by_region[name] for name in _CALM if name in self.by_region]
        return float(np.percentile(seen, _CALM_PERCENTILE)) if seen else None

    @cached_property
    def light(self) -> Plane:
        """Luminance in stops, without what a flush takes.

        Blood takes green light and hardly any red (Prahl's tables), so where there is more of it than in the calm
        parts, green gets back what the red light beside it says.
        """
        level = self.calm if self.calm is not None else midmean(self.erythema[self.labels >= 0])
        excess = np.maximum(self.erythema - np.float32(level + _USUAL), 0) / _INDEX
        red, green, blue = (self.linear[..., part] for part in range(3))
        luminance = 0.2126 * red + 0.7152 * green * np.exp(excess) + 0.0722 * blue
        return np.asarray(np.log2(luminance + _LEAST_LIGHT), dtype=np.float32)


def broad_of(canvas: Canvas, without: Mask) -> Broad:
    """The broad look at a face, lesions (without) and burnt-out light left out."""
    usable = canvas.skin & ~without
    linear = masked(canvas.linear, usable, _SIGMA)
    return Broad(linear, np.where(canvas.clipped, -1, canvas.labels).astype(np.int16))
