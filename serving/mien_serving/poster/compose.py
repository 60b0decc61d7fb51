"""A poster from its words, and perhaps a photo: composed, not imagined. The same order gives the same bytes."""

import hashlib
import json
from dataclasses import astuple, dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_core.model.serving import Aspect
from mien_serving.poster.lettering import Face, centred, fitted, flowed
from mien_serving.poster.palettes import Colour, Palette, monochrome, palette_of
from mien_serving.poster.scenery import scene
from mien_serving.poster.styles import Treatment, treatment_of

Pixels = NDArray[np.uint8]

# Raise it with every change to what a composer draws: it is told with each poster.
ENGINE: Final = "composer/1"

SIZES: Final[dict[Aspect, tuple[int, int]]] = {
    "2:3": (1000, 1500),
    "3:4": (1080, 1440),
    "4:5": (1120, 1400),
    "1:1": (1200, 1200),
    "16:9": (1600, 900),
    "9:16": (900, 1600),
}

# Parts of the height: where the ground begins to cover the picture, where it covers it whole, the words' upper edge.
_FADE_FROM: Final = 0.48
_FADE_TO: Final = 0.76
_WORDS_BELOW: Final = 0.655
_MARGIN: Final = 0.07


@dataclass(frozen=True, slots=True)
class Order:
    """What a poster is to be; genre and style are any words, and those that are known have a look of their own."""

    title: str
    prompt: str
    genre: str
    style: str
    aspect: Aspect


def compose(order: Order, photo: Pixels | None = None) -> Pixels:
    """Compose a poster.

    Args:
        order: its words.
        photo: what it shows instead of a scene: H x W x 3, 0-255, sRGB.

    Returns:
        The poster: SIZES[order.aspect], H x W x 3, 0-255, sRGB.
    """
    width, height = SIZES[order.aspect]
    treatment, palette = treatment_of(order.style), palette_of(order.genre)
    if treatment.monochrome:
        palette = monochrome(palette)
    luck = np.random.default_rng(list(_seed(order)))
    if photo is None:
        picture, bright = scene(palette, width, height, luck, rays=treatment.rays)
    else:
        picture, bright = _toned(_cropped(photo, width, height), palette, treatment), None
    if treatment.glow and bright is not None:
        picture = _lit(picture, bright, palette.accent)
    picture = _grounded(picture, palette.ground)
    picture = _finished(picture, treatment, luck)
    _letter(picture, order, palette, treatment)
    if treatment.framed:
        inset = round(min(width, height) * 0.03)
        cv2.rectangle(picture, (inset, inset), (width - 1 - inset, height - 1 - inset), palette.ink, 3, cv2.LINE_AA)
    return picture


def as_png(picture: Pixels) -> bytes:
    """Encode a picture.

    Args:
        picture: H x W x 3, 0-255, sRGB.
    """
    # fast rather than small: grain doesn't compress anyway
    encoded, data = cv2.imencode(".png", picture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not encoded:
        raise ValueError("OpenCV can't encode a picture of this shape and type.")
    return data.tobytes()


def _seed(order: Order) -> bytes:
    return hashlib.sha256(json.dumps(astuple(order)).encode()).digest()


def _cropped(photo: Pixels, width: int, height: int) -> Pixels:
    """The largest part of the poster's shape, from a little above the middle: where people have their faces."""
    rows, columns = photo.shape[:2]
    scale = max(width / columns, height / rows)
    wide, high = min(columns, round(width / scale)), min(rows, round(height / scale))
    left, top = (columns - wide) // 2, round((rows - high) * 0.35)
    part = photo[top : top + high, left : left + wide]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (width, height), interpolation=method), np.uint8)


def _toned(photo: Pixels, palette: Palette, treatment: Treatment) -> Pixels:
    """Take a photo into the palette: its shadows towards the ground, its lights towards the horizon."""
    luma = photo.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255
    shadows, lights = np.array(palette.ground, np.float32), np.array(palette.horizon, np.float32)
    tinted = shadows + (lights * 0.4 + 153 - shadows) * luma[:, :, None]
    kept = 0.15 if treatment.monochrome else 0.6
    return np.asarray(np.clip(np.round(kept * photo + (1 - kept) * tinted), 0, 255), np.uint8)


def _lit(picture: Pixels, bright: Pixels, colour: Colour) -> Pixels:
    """Let what is bright shine onto what is around it."""
    spread = max(bright.shape) / 22
    light = cv2.GaussianBlur(bright, (0, 0), spread).astype(np.float32)[:, :, None] / 255
    return np.asarray(np.clip(np.round(picture + 0.8 * light * np.array(colour, np.float32)), 0, 255), np.uint8)


def _grounded(picture: Pixels, ground: Colour) -> Pixels:
    """Cover the picture with the ground downwards, so that words can be read on it."""
    rows = np.linspace(0, 1, picture.shape[0], dtype=np.float32)
    share = np.clip((rows - _FADE_FROM) / (_FADE_TO - _FADE_FROM), 0, 1)
    share = (share * share * (3 - 2 * share))[:, None, None]
    return np.asarray(np.round(picture * (1 - share) + np.array(ground, np.float32) * share), np.uint8)


def _finished(picture: Pixels, treatment: Treatment, luck: np.random.Generator) -> Pixels:
    """Darken the corners and lay grain over it."""
    height, width = picture.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    dark = 1 - treatment.vignette * np.clip((y[:, None] ** 2 + x[None, :] ** 2) / 2, 0, 1)
    grain = luck.standard_normal((height, width), np.float32) * treatment.grain
    finished = np.clip(np.round(picture * dark[:, :, None] + grain[:, :, None]), 0, 255)
    return np.asarray(finished, np.uint8)


def _letter(picture: Pixels, order: Order, palette: Palette, treatment: Treatment) -> None:
    """Set the words: what it is, its title, and what it is about."""
    height, width = picture.shape[:2]
    margin = min(width, height) * _MARGIN
    top, bottom = height * _WORDS_BELOW, height - margin * 1.35
    small = height * (0.0165 if height > width else 0.024)
    kicker, light = Face(500), Face(300, slanted=True)
    words = " ".join(f"{order.genre} · {order.style}".split())
    kind = fitted(words.upper(), kicker, width - 4 * margin, small * 0.7, 1)
    about = flowed(order.prompt, light, width - 3 * margin, small * 1.25, 2)
    gap = small * 1.5
    title_height = bottom - top - kind.height - about.height - 2 * gap
    heavy = Face(treatment.weight, treatment.slanted)
    title = fitted(order.title.upper(), heavy, width - 2 * margin, title_height, 3)
    # what a short title leaves free is shared out above and below
    top += (title_height - title.height) / 2
    parts = ((kind, kicker, palette.accent), (title, heavy, palette.ink), (about, light, palette.ink))
    for block, face, colour in parts:
        mask = np.zeros((height, width), np.uint8)
        centred(mask, block, face, top)
        _ink(picture, mask, colour)
        top += block.height + gap


def _ink(picture: Pixels, mask: Pixels, colour: Colour) -> None:
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return
    band = slice(rows[0], rows[-1] + 1)
    share = mask[band, :, None].astype(np.float32) / 255
    picture[band] = np.round(picture[band] * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)
