"""The overlays that AR draws make-up with: pictures of where it goes, for the categories that need a shape.

Who draws them is serving (mien_serving.makeup), who shows them the api; both know them by this table.
"""

from dataclasses import dataclass
from typing import Final

from mien_core.model.looks import Category, Finish, Preset


@dataclass(frozen=True, slots=True)
class Overlay:
    """A picture at keys.asset_key(asset_id); color is the one that it comes in, and what it would look well with."""

    asset_id: str
    category: Category
    name: str
    color: str
    finish: Finish
    intensity: float

    @property
    def preset(self) -> Preset:
        """The overlay as a preset that it is ready for."""
        return Preset(
            category=self.category,
            color=self.color,
            finish=self.finish,
            intensity=self.intensity,
            asset_id=self.asset_id,
        )


OVERLAYS: Final = (
    Overlay("lipstick-full", "lipstick", "Full lips", "#A4414B", "satin", 0.8),
    Overlay("lipstick-soft", "lipstick", "Soft edges", "#B4636A", "matte", 0.6),
    Overlay("lipstick-gradient", "lipstick", "Deeper inside", "#C0485A", "gloss", 0.7),
    Overlay("eyeshadow-lid", "eyeshadow", "Lid", "#9C7A64", "satin", 0.5),
    Overlay("eyeshadow-crease", "eyeshadow", "Lid and crease", "#8A5F4D", "matte", 0.6),
    Overlay("eyeshadow-smoky", "eyeshadow", "All around the eye", "#4E4048", "shimmer", 0.7),
    Overlay("blush-apples", "blush", "Apples of the cheeks", "#D88484", "satin", 0.4),
    Overlay("blush-lifted", "blush", "Along the cheekbones", "#C9756B", "matte", 0.5),
    Overlay("blush-sunkissed", "blush", "Across the nose", "#CF7F63", "satin", 0.4),
)
