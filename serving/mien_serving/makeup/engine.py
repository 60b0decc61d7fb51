"""The make-up library's front: a photo and its face report in, the photo with a look on it out. Needs no platform.

The plainest engine that is right: lips, cheeks and lids of one face, by the mesh alone. What covers them (a hand, hair)
is painted over, and what a look has besides is left out.
"""

from collections.abc import Sequence

import numpy as np

from mien_core.errors import Rejected
from mien_core.model.face import FaceReport
from mien_core.model.looks import Preset
from mien_serving.makeup.face_part import AREAS, Pixels, face_part_of
from mien_serving.makeup.paint import painted


def make_up(photo: Pixels, report: FaceReport, presets: Sequence[Preset]) -> Pixels:
    """Put a look on the face of a photo; outside of what is made up, no bit changes.

    Args:
        photo: H x W x 3, 0-255, sRGB; stays as it is.
        report: of its face; lengths in it are relative, so the photo may be a smaller copy of the one it was made of.
        presets: the look; of one category the last one counts.

    Raises:
        Rejected: look_not_supported, if there is nothing in it that can be rendered.
    """
    wanted = {preset.category: preset for preset in presets}
    chosen = [wanted[category] for category in AREAS if category in wanted]
    if not chosen:
        known = ", ".join(AREAS)
        detail = f"The look has nothing that can be rendered. Choose one with at least one of these: {known}."
        raise Rejected("look_not_supported", detail)
    part = face_part_of(photo, report)
    made_up = photo.copy()
    if part.height == 0 or part.width == 0:
        return made_up
    window = made_up[part.rows, part.columns]
    before = window.astype(np.float32) / np.float32(255)
    after = before
    touched = np.zeros(window.shape[:2], dtype=np.bool_)
    for preset in chosen:
        mask = part.mask(preset.category)
        after = painted(after, mask, preset)
        touched |= mask > 0
    # written back only where something was put on: the way through floating point and CIELAB loses bits
    window[touched] = np.round(np.clip(after[touched], 0, 1) * 255).astype(np.uint8)
    return made_up
