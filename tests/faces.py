"""Photos for tests, made from pictures that scikit-image carries (the astronaut is in the public domain).

Pictures are H x W x 3, 0-255, sRGB; each call returns a fresh array. What ends in bytes is an encoded file.
"""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data as _pictures

Picture = NDArray[np.uint8]

# scikit-image has annotations in places only, not here.
data: Any = _pictures

# The mesh of the astronaut's face is that wide in the original of 512 x 512 pixels.
ASTRONAUT_FACE_WIDTH: Final = 94

REAL_PHOTOS: Final = Path(__file__).parents[2] / "shared" / "faces"


@lru_cache
def _astronaut() -> Picture:
    return np.asarray(data.astronaut(), dtype=np.uint8)


@lru_cache
def _coffee() -> Picture:
    return np.asarray(data.coffee(), dtype=np.uint8)


def astronaut() -> Picture:
    """A smiling face, frontal, 94 pixels wide; 512 x 512."""
    return _astronaut().copy()


def astronaut_1080p() -> Picture:
    """The astronaut from the helmet's ring up, her face 352 pixels wide; 1920 x 1080. Passes every gate."""
    return resized(_astronaut()[:288], 1920, 1080)


def astronaut_portrait() -> Picture:
    """The astronaut as a telephone would take her, her face 287 pixels wide; 1080 x 1560."""
    return resized(_astronaut()[:, 46:400], 1080, 1560)


def two_faces() -> Picture:
    """A larger face (200 pixels wide) on the left and a smaller one (120 pixels) on the right; 1280 x 720."""
    scene = resized(_coffee(), 1280, 720)
    larger = face_of_width(200)[:720, 150:900]
    smaller = face_of_width(120)[:600, 100:600]
    scene[:, : larger.shape[1]] = larger
    scene[60 : 60 + smaller.shape[0], 760 : 760 + smaller.shape[1]] = smaller
    return scene


def tiny_face(size: int, width: int = 1920, height: int = 1080) -> Picture:
    """A face of size pixels' width beside a cup of coffee."""
    scene = resized(_coffee(), width, height)
    small = face_of_width(size)
    left, top = width // 2, height // 3
    room = scene[top : top + small.shape[0], left : left + small.shape[1]]
    room[:] = small[: room.shape[0], : room.shape[1]]
    return scene


def no_face() -> Picture:
    """A cup of coffee; 600 x 400."""
    return _coffee().copy()


def cat() -> Picture:
    """A cat's face, which is no face; 451 x 300."""
    return np.array(data.chelsea(), dtype=np.uint8)


def blank(width: int = 640, height: int = 480, value: int = 128) -> Picture:
    """Nothing but grey."""
    return np.full((height, width, 3), value, dtype=np.uint8)


def real_photo(name: str) -> Picture | None:
    """A photo of the folder shared/faces beside the repository, or None where that isn't there: skip then."""
    path = REAL_PHOTOS / name
    if not path.is_file():
        return None
    with Image.open(path) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


def face_of_width(width: int) -> Picture:
    """The astronaut, scaled so that her face is so many pixels wide."""
    side = round(512 * width / ASTRONAUT_FACE_WIDTH)
    return resized(_astronaut(), side, side)


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture in another size, averaged where it gets smaller."""
    smaller = width < picture.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.array(cv2.resize(picture, (width, height), interpolation=interpolation), dtype=np.uint8)


def rotated(picture: Picture, degrees: float) -> Picture:
    """The picture turned clockwise about its middle; its edge fills the corners."""
    height, width = picture.shape[:2]
    # OpenCV counts counter-clockwise.
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), -degrees, 1.0)
    turned = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.array(turned, dtype=np.uint8)


def mirrored(picture: Picture) -> Picture:
    """The picture with left and right swapped."""
    return np.ascontiguousarray(picture[:, ::-1])


def blurred(picture: Picture, sigma: float) -> Picture:
    """The picture out of focus; sigma in pixels."""
    return np.array(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.uint8)


def relit(picture: Picture, factor: float | NDArray[np.float64]) -> Picture:
    """The picture under so many times the light; factor may differ by pixel or channel (broadcast to H x W x 3)."""
    encoded = picture / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    lit = np.clip(linear * factor, 0, 1)
    again = np.where(lit <= 0.0031308, lit * 12.92, 1.055 * np.maximum(lit, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(again * 255), dtype=np.uint8)


def grey(picture: Picture) -> Picture:
    """The picture without its colours, still with three channels."""
    one = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.uint8)
    return np.repeat(one[..., None], 3, axis=2)


def jpeg_bytes(picture: Picture, quality: int = 92) -> bytes:
    """An ordinary JPEG."""
    return _saved(Image.fromarray(picture), "JPEG", quality=quality)


# What undoes each EXIF orientation; 1 is upright.
_UNDO: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif_rotated_jpeg_bytes(picture: Picture, orientation: int = 6, quality: int = 92) -> bytes:
    """A JPEG stored turned or mirrored, whose EXIF orientation (1-8) makes it the picture again."""
    image = Image.fromarray(picture)
    if orientation in _UNDO:
        image = image.transpose(_UNDO[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(image, "JPEG", quality=quality, exif=exif)


def cmyk_jpeg_bytes(picture: Picture) -> bytes:
    """A JPEG in the four colours of a press."""
    return _saved(Image.fromarray(picture).convert("CMYK"), "JPEG", quality=95)


def grey_jpeg_bytes(picture: Picture) -> bytes:
    """A JPEG with one channel."""
    return _saved(Image.fromarray(picture).convert("L"), "JPEG", quality=92)


def png_bytes(picture: Picture) -> bytes:
    """An ordinary PNG."""
    return _saved(Image.fromarray(picture), "PNG", compress_level=1)


def palette_png_bytes(picture: Picture) -> bytes:
    """A PNG of 256 colours, the first of them transparent."""
    image = Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE)
    return _saved(image, "PNG", transparency=0)


def webp_bytes(picture: Picture, quality: int = 90) -> bytes:
    """A WebP."""
    return _saved(Image.fromarray(picture), "WEBP", quality=quality)


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
