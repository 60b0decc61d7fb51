"""What a poster without a photo shows: a sky, one bright thing, and silhouettes before it. The same seed, the same."""

from collections.abc import Callable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mien_serving.poster.palettes import Colour, Motif, Palette

Pixels = NDArray[np.uint8]

# OpenCV takes coordinates as integers; so many of their bits are fractions of a pixel.
_SHIFT: Final = 4
_HORIZON: Final = 0.62


def scene(palette: Palette, width: int, height: int, luck: Generator, *, rays: bool) -> tuple[Pixels, Pixels]:
    """Draw a scene, and a mask of what in it is bright.

    Args:
        palette: its colours and motif.
        width: pixels.
        height: pixels.
        luck: where all that could be elsewhere is taken from.
        rays: whether light goes out from the bright thing.

    Returns:
        The picture (H x W x 3) and the mask (H x W), 0-255.
    """
    picture = _sky(palette, width, height)
    bright = np.zeros((height, width), np.uint8)
    centre = np.array([width * luck.uniform(0.38, 0.62), height * luck.uniform(0.28, 0.38)])
    radius = min(width, height) * luck.uniform(0.17, 0.23)
    if rays:
        _rays(picture, centre, palette.accent)
    _disc(bright, centre, radius)
    _paint(picture, bright, palette.accent)
    _MOTIFS[palette.motif](picture, bright, palette, luck)
    return picture, bright


def _sky(palette: Palette, width: int, height: int) -> Pixels:
    """A sky from top to horizon, which goes on below it."""
    share = np.clip(np.linspace(0, 1 / _HORIZON, height), 0, 1)[:, None, None] ** 1.2
    column = (1 - share) * np.array(palette.top) + share * np.array(palette.horizon)
    return np.broadcast_to(np.round(column), (height, width, 3)).astype(np.uint8, order="C")


def _ridges(picture: Pixels, bright: Pixels, palette: Palette, luck: Generator) -> None:
    """Hills behind hills, each darker than the one behind it."""
    height, width = bright.shape
    x = np.linspace(0, 1, 96)
    for layer in range(4):
        y = np.full_like(x, _HORIZON + 0.075 * layer - 0.04)
        for wave in range(1, 6):
            y += luck.uniform(-1, 1) * 0.045 / wave * np.sin(2 * np.pi * (wave * x * 1.3 + luck.uniform()))
        _silhouette(picture, bright, np.stack([x * width, y * height], 1), _between(palette, (layer + 1) / 4))


def _skyline(picture: Pixels, bright: Pixels, palette: Palette, luck: Generator) -> None:
    """Houses behind houses, and lights in the nearest of them."""
    height, width = bright.shape
    for layer in range(3):
        left, corners = 0.0, []
        while left < 1:
            right = left + luck.uniform(0.04, 0.11)
            roof = _HORIZON - 0.16 + 0.09 * layer + luck.uniform(-0.10, 0.08)
            corners += [(left * width, roof * height), (right * width, roof * height)]
            left = right
        _silhouette(picture, bright, np.array(corners), _between(palette, (layer + 1) / 3))
    for _ in range(70):
        x, y = int(luck.uniform(0, width)), int(luck.uniform(_HORIZON + 0.02, 0.78) * height)
        side = max(2, width // 240)
        picture[y : y + 2 * side, x : x + side] = palette.accent
        bright[y : y + 2 * side, x : x + side] = 255


def _stars(picture: Pixels, bright: Pixels, palette: Palette, luck: Generator) -> None:
    """A field of stars, a ring around the bright thing, and the edge of a world below."""
    height, width = bright.shape
    for _ in range(260):
        x, y = int(luck.uniform(0, width)), int(luck.uniform(0, 0.8) * height)
        level = luck.uniform(0.25, 1.0)
        if bright[y, x] == 0:
            place = picture[y : y + 2, x : x + 2]
            place[:] = np.round((1 - level) * place + level * np.array(palette.ink)).astype(np.uint8)
    ys, xs = np.nonzero(bright)
    centre, radius = (float(xs.mean()), float(ys.mean())), float(np.ptp(xs)) / 2
    for stretch in (1.5, 1.62):
        axes = _fixed((radius * stretch, radius * stretch * 0.28))
        cv2.ellipse(picture, _fixed(centre), axes, -18, 0, 360, palette.ink, 2, cv2.LINE_AA, _SHIFT)
    world = np.array([(x * width, (_HORIZON + 0.55 * (x - 0.5) ** 2) * height) for x in np.linspace(0, 1, 64)])
    _silhouette(picture, bright, world, palette.ground)


def _trunks(picture: Pixels, bright: Pixels, palette: Palette, luck: Generator) -> None:
    """Bare trees, the nearer the darker."""
    height, width = bright.shape
    for layer in range(3):
        colour = _between(palette, (layer + 1) / 3)
        for _ in range(9 - 2 * layer):
            x, thick = luck.uniform(0, width), width * luck.uniform(0.006, 0.012) * (layer + 1)
            lean = width * luck.uniform(-0.04, 0.04)
            trunk = [(x - thick, height), (x + lean - thick / 3, 0), (x + lean + thick / 3, 0), (x + thick, height)]
            _polygon(picture, bright, np.array(trunk), colour)
            for _ in range(3):
                up = luck.uniform(0.1, 0.6)
                foot = np.array([x + lean * (1 - up), up * height])
                reach = np.array([width * luck.uniform(-0.14, 0.14), -height * luck.uniform(0.04, 0.12)])
                cv2.line(picture, _fixed(foot), _fixed(foot + reach), colour, 2 + 2 * layer, cv2.LINE_AA, _SHIFT)
    _silhouette(picture, bright, np.array([(0, 0.8 * height), (width, 0.78 * height)]), palette.ground)


def _confetti(picture: Pixels, bright: Pixels, palette: Palette, luck: Generator) -> None:
    """Round things in all sizes."""
    height, width = bright.shape
    colours = (palette.ground, palette.ink, palette.top, palette.horizon, palette.accent)
    for _ in range(46):
        centre = luck.uniform(0, width), luck.uniform(0, 0.72) * height
        radius = min(width, height) * luck.uniform(0.008, 0.05)
        colour = colours[int(luck.integers(len(colours)))]
        cv2.circle(picture, _fixed(centre), _fixed((radius,))[0], colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    hill = np.array([(x * width, (0.74 + 0.18 * (x - 0.5) ** 2) * height) for x in np.linspace(0, 1, 48)])
    _silhouette(picture, bright, hill, palette.ground)


_MOTIFS: Final[Mapping[Motif, Callable[[Pixels, Pixels, Palette, Generator], None]]] = {
    "ridges": _ridges,
    "skyline": _skyline,
    "stars": _stars,
    "trunks": _trunks,
    "confetti": _confetti,
}


def _between(palette: Palette, share: float) -> Colour:
    """From the horizon's colour (0) to the ground's (1)."""
    mixed = (1 - share) * np.array(palette.horizon) + share * np.array(palette.ground)
    red, green, blue = (round(float(value)) for value in mixed)
    return red, green, blue


def _silhouette(picture: Pixels, bright: Pixels, edge: NDArray[np.float64], colour: Colour) -> None:
    """Fill everything below an edge that runs from left to right."""
    height, width = bright.shape
    _polygon(picture, bright, np.concatenate([edge, [(width, height), (0, height)]]), colour)


def _polygon(picture: Pixels, bright: Pixels, corners: NDArray[np.float64], colour: Colour) -> None:
    points = [np.round(corners * (1 << _SHIFT)).astype(np.int32)]
    cv2.fillPoly(picture, points, colour, cv2.LINE_AA, _SHIFT)
    cv2.fillPoly(bright, points, (0,), cv2.LINE_AA, _SHIFT)


def _disc(mask: Pixels, centre: NDArray[np.float64], radius: float) -> None:
    cv2.circle(mask, _fixed(centre), _fixed((radius,))[0], (255,), cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _rays(picture: Pixels, centre: NDArray[np.float64], colour: Colour) -> None:
    mask = np.zeros(picture.shape[:2], np.uint8)
    reach = float(np.hypot(*picture.shape[:2]))
    for ray in range(24):
        angles = np.array([ray, ray + 0.5]) * 2 * np.pi / 24
        ends = centre + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
        points = np.round(np.array([centre, *ends]) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [points], (52,), cv2.LINE_AA, _SHIFT)
    _paint(picture, mask, colour)


def _paint(picture: Pixels, mask: Pixels, colour: Colour) -> None:
    """Lay a colour on where the mask says, as thick as it says."""
    share = mask[:, :, None].astype(np.float32) / 255
    picture[:] = np.round(picture * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _fixed(values: NDArray[np.float64] | tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(float(value) * (1 << _SHIFT)) for value in values)
