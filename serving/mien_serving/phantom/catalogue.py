"""All painters by what they paint, so that tests and benchmarks can ask each of them back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from mien_core.model.skin import Condition
from mien_serving.phantom import pigments, reliefs
from mien_serving.phantom.face_plan import FacePlan, Picture
from mien_serving.phantom.painted import Painted


class Painter(Protocol):
    """Paints one thing onto a face."""

    def __call__(self, photo: Picture, plan: FacePlan, strength: float, seed: int) -> Painted:
        """Paint it.

        Args:
            photo: H x W x 3, 0-255, sRGB; stays as it is.
            plan: the face in it.
            strength: 0-1, from nothing to what nobody overlooks.
            seed: what is left to chance; with the same seed more strength adds to what less strength paints.
        """


CONDITIONS: Final[Mapping[Condition, Painter]] = MappingProxyType(
    {
        "acne": pigments.acne,
        "blackheads": reliefs.pores,
        "wrinkles": reliefs.wrinkles,
        "dullness": reliefs.dullness,
        "redness": pigments.redness,
        "dehydration": reliefs.flakes,
        "hyperpigmentation": pigments.spots,
        "uneven_texture": reliefs.texture,
    }
)
