"""Bad input by name: a good photo changed as real photos are bad, and scenes that show no face or a wrong one.

`python -m tests.bad_input docs/images/bad_input.jpg` draws them all with what the engines say of them.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien_core.model.face import FaceReport
from mien_core.model.skin import SkinReport
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.skin.engine import SkinEngine
from tests import faces, warps, warps_light
from tests.faces import Picture
from tests.scenes import cartoon, printed_shirt
from tests.warps import Points
from tests.warps_turned import turned

# From here on a careful layman sees a condition.
SEEN: Final = 0.5
_WIDTH: Final = 230
_COLUMNS: Final = 6
_ROOM: Final = 64


def portrait() -> Picture:
    """The good photo: the astronaut's face, 352 pixels wide, in 860 x 960."""
    return np.ascontiguousarray(faces.astronaut_1080p()[40:1000, 420:1280])


def in_the_corner(photo: Picture, points: Points) -> Picture:
    """The photo cut through the middle of the face."""
    return np.ascontiguousarray(photo[:, int(points[4, 0]) :])


def before_a_printed_shirt(photo: Picture, points: Points) -> Picture:
    """The photo made wider: beside and behind the person somebody's shirt has a face printed on it."""
    shirt = printed_shirt(round(2.4 * warps.unit(points)))
    width, top = photo.shape[1], round(0.3 * photo.shape[0])
    wider = cv2.copyMakeBorder(photo, 0, 0, 0, shirt.shape[1], cv2.BORDER_REPLICATE)
    room = wider[top : top + shirt.shape[0], width:]
    room[:] = shirt[: room.shape[0]]
    wider[top + shirt.shape[0] :, width:] = shirt[-1:]
    return np.asarray(wider, dtype=np.uint8)


def _wire_glasses(photo: Picture, points: Points) -> Picture:
    return warps.glasses(photo, points, thickness=0.02, colour=(150, 140, 120))


def _sunglasses(photo: Picture, points: Points) -> Picture:
    return warps.glasses(photo, points, tint=0.93)


# Photos of a person in which something is wrong.
WARPS: Final[Mapping[str, Callable[[Picture, Points], Picture]]] = MappingProxyType(
    {
        "as it is": lambda photo, _: photo,
        "lids closed": warps.lids_closed,
        "glasses": warps.glasses,
        "wire glasses": _wire_glasses,
        "sunglasses": _sunglasses,
        "beard": warps.bearded,
        "hand": warps.hand,
        "mask": warps.masked,
        "fringe": warps.fringe,
        "microphone": warps.microphone,
        "wall's shadow": warps_light.half_shadow,
        "blind's shadow": warps_light.blinds,
        "cap's shadow": warps_light.cap_shadow,
        "turned 20": lambda photo, points: turned(photo, points, 20),
        "turned 40": lambda photo, points: turned(photo, points, 40),
        "turned 60": lambda photo, points: turned(photo, points, -60),
        "night": lambda photo, _: warps_light.night(photo),
        "blue light": lambda photo, _: warps_light.lit_by(photo, (0.25, 0.5, 1.0)),
        "noise": lambda photo, _: warps_light.noisy(photo),
        "beauty filter": warps.beautified,
        "blurred": lambda photo, _: faces.blurred(photo, 0.012 * photo.shape[1]),
        "cut by the frame": in_the_corner,
        "200 x 200": lambda photo, _: faces.resized(photo[60:920], 200, 200),
        "shirt behind": before_a_printed_shirt,
    }
)
# Pictures of no person.
SCENES: Final[Mapping[str, Callable[[], Picture]]] = MappingProxyType(
    {"cat": faces.cat, "drawn face": cartoon, "printed shirt": printed_shirt}
)


class Eyes:
    """Both engines: what they say of a photo."""

    def __init__(self) -> None:
        self.faces = FaceEngine(installed_model_files())
        self.skin = SkinEngine()

    def face(self, photo: Picture) -> FaceReport | None:
        """The report of the photo's largest face, or None where there is none."""
        outcome = self.faces.analyse([photo])[0].outcome
        return outcome if isinstance(outcome, FaceReport) else None

    def of(self, photo: Picture, report: FaceReport) -> SkinReport:
        """What is said of the skin."""
        return self.skin.analyse(photo, report)


def said_of(photo: Picture, eyes: Eyes) -> list[str]:
    """The failed gates, else the code of the rejection, and how much is said of the skin."""
    report = eyes.face(photo)
    if report is None:
        return ["no_face"]
    failed = [gate.code for gate in report.face.quality.gates if not gate.passed]
    skin = eyes.of(photo, report)
    seen = [one.condition for one in skin.probabilities if one.probability >= SEEN]
    left = f"{len(skin.measures)} measures" + "".join(f", {one}" for one in seen)
    return [*(failed or ["all gates passed"]), left]


def sheet() -> Picture:
    """All of them beside each other, each with what is said of it."""
    eyes = Eyes()
    good = portrait()
    report = eyes.face(good)
    if report is None:
        raise ValueError("the good photo shows no face")
    points = warps.points_of(good, report)
    pictures = {name: warp(good, points) for name, warp in WARPS.items()}
    pictures |= {name: scene() for name, scene in SCENES.items()}
    tiles = [_tile(name, photo, said_of(photo, eyes)) for name, photo in pictures.items()]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)])


def _tile(name: str, photo: Picture, words: list[str]) -> Picture:
    high = round(_WIDTH * 960 / 860)
    scale = min(_WIDTH / photo.shape[1], high / photo.shape[0])
    small = faces.resized(photo, round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    tile = Image.new("RGB", (_WIDTH + 6, high + _ROOM), (255, 255, 255))
    tile.paste(Image.fromarray(small), ((_WIDTH - small.shape[1]) // 2, (high - small.shape[0]) // 2))
    draw = ImageDraw.Draw(tile)
    draw.text((4, high + 2), name, fill=(20, 20, 20), font=ImageFont.load_default(size=14))
    *codes, last = words
    lines = [", ".join(codes[start : start + 2]) for start in range(0, len(codes), 2)] + [last]
    for row, line in enumerate(lines[:4]):
        draw.text((4, high + 19 + 11 * row), line, fill=(90, 90, 90), font=ImageFont.load_default(size=10))
    return np.asarray(tile, dtype=np.uint8)


def main() -> None:
    """Write the sheet to the path that is given."""
    Image.fromarray(sheet()).save(Path(sys.argv[1]), quality=82)


if __name__ == "__main__":
    main()
