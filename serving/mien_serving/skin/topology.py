"""The named regions of the skin as outlines through the points of the mesh. "right" is the person's right."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mien_serving.face.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

Outline = tuple[int, ...]

# Where two outlines overlap, the later one has the skin.
REGIONS: Final[Mapping[str, Outline]] = MappingProxyType(
    {
        "forehead_centre": (108, 151, 337, 336, 9, 107),
        "forehead_right": (104, 69, 108, 107, 66, 105, 63, 68),
        "forehead_left": (333, 299, 337, 336, 296, 334, 293, 298),
        "glabella": (107, 9, 336, 285, 8, 55),
        "temple_right": (68, 63, 70, 156, 139, 71),
        "temple_left": (298, 293, 300, 383, 368, 301),
        "upper_lid_right": (113, 225, 224, 223, 222, 221, 189, 190, 56, 28, 27, 29, 30, 247),
        "upper_lid_left": (342, 445, 444, 443, 442, 441, 413, 414, 286, 258, 257, 259, 260, 467),
        "cheek_outer_right": (116, 117, 50, 187, 147, 123),
        "cheek_outer_left": (345, 346, 280, 411, 376, 352),
        "cheek_upper_right": (117, 118, 119, 100, 142, 36, 50),
        "cheek_upper_left": (346, 347, 348, 329, 371, 266, 280),
        "cheek_middle_right": (50, 36, 205, 207, 187),
        "cheek_middle_left": (280, 266, 425, 427, 411),
        "cheek_lower_right": (187, 207, 214, 192, 213, 147),
        "cheek_lower_left": (411, 427, 434, 416, 433, 376),
        "nose_bridge": (193, 8, 417, 351, 419, 248, 3, 196, 122),
        "nose_side_right": (122, 188, 114, 217, 198, 236, 3, 196),
        "nose_side_left": (351, 412, 343, 437, 420, 456, 248, 419),
        "nose_wing_right": (198, 134, 220, 115, 48, 49, 209),
        "nose_wing_left": (420, 363, 440, 344, 278, 279, 429),
        "nose_tip": (51, 5, 281, 275, 274, 1, 44, 45),
        "under_eye_right": (31, 228, 229, 230, 231, 232, 121, 120, 119, 118, 117, 111),
        "under_eye_left": (261, 448, 449, 450, 451, 452, 350, 349, 348, 347, 346, 340),
        "crows_feet_right": (113, 124, 156, 143, 111, 31, 226),
        "crows_feet_left": (342, 353, 383, 372, 340, 261, 446),
        "nasolabial_right": (36, 205, 207, 212, 57, 186, 92, 165, 98, 129),
        "nasolabial_left": (266, 425, 427, 432, 287, 410, 322, 391, 327, 358),
        "upper_lip": (165, 97, 2, 326, 391, 322, 270, 269, 267, 0, 37, 39, 40, 92),
        "marionette_right": (212, 57, 43, 106, 204, 211, 210, 214),
        "marionette_left": (432, 287, 273, 335, 424, 431, 430, 434),
        "chin": (182, 83, 18, 313, 406, 418, 262, 428, 199, 208, 32, 194),
        "jaw_right": (192, 214, 210, 211, 170, 169, 135, 138),
        "jaw_left": (416, 434, 430, 431, 395, 394, 364, 367),
    }
)

# What lies inside the face's outline and is no skin.
HOLES: Final[tuple[Outline, ...]] = (
    RIGHT_EYE,
    LEFT_EYE,
    RIGHT_BROW,
    LEFT_BROW,
    LIPS_OUTER,
    (79, 237, 44, 238, 241, 242, 99, 60),
    (309, 457, 274, 458, 461, 462, 328, 290),
)


def both(*stems: str) -> tuple[str, ...]:
    """The right and the left region of each name."""
    return tuple(f"{stem}_{side}" for stem in stems for side in ("right", "left"))


FOREHEAD: Final = ("forehead_centre", *both("forehead"))
NOSE: Final = ("nose_bridge", "nose_tip", *both("nose_side", "nose_wing"))
CHEEKS: Final = both("cheek_upper", "cheek_middle", "cheek_outer", "cheek_lower")
T_ZONE: Final = (*FOREHEAD, "glabella", *NOSE, "chin")
UNDER_EYES: Final = both("under_eye")
# Without folds, lids and the shadows of nose and lips: skin whose surface looks the same all over.
OPEN_SKIN: Final = (*FOREHEAD, "glabella", *both("temple"), *CHEEKS, "nose_bridge", "chin", *both("jaw"))
# Where a dark or red dot is a lesion. In lids and folds it is as likely a shadow.
LESION_SKIN: Final = (*OPEN_SKIN, "nose_tip", *UNDER_EYES, *both("marionette"))
