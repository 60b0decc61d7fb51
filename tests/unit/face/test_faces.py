"""The test photos themselves: others' tests rely on them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests import faces


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotated_bytes_come_out_upright(orientation: int) -> None:
    """Applying the orientation gives the picture back, and the file says which one it is."""
    picture = faces.astronaut()
    image = Image.open(BytesIO(faces.exif_rotated_jpeg_bytes(picture, orientation)))
    assert image.getexif()[0x0112] == orientation
    upright = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert np.abs(upright - picture).mean() < 4


@pytest.mark.parametrize(
    ("encoded", "form", "mode"),
    [
        (faces.jpeg_bytes(faces.astronaut()), "JPEG", "RGB"),
        (faces.cmyk_jpeg_bytes(faces.astronaut()), "JPEG", "CMYK"),
        (faces.grey_jpeg_bytes(faces.astronaut()), "JPEG", "L"),
        (faces.png_bytes(faces.astronaut()), "PNG", "RGB"),
        (faces.palette_png_bytes(faces.astronaut()), "PNG", "P"),
        (faces.webp_bytes(faces.astronaut()), "WEBP", "RGB"),
    ],
)
def test_encoded_files_are_what_they_are_called(encoded: bytes, form: str, mode: str) -> None:
    """Format and colours as named, and they show the picture; the palette one has a transparent colour."""
    image = Image.open(BytesIO(encoded))
    assert (image.format, image.mode) == (form, mode)
    assert ("transparency" in image.info) == (mode == "P")
    shown = np.asarray(image.convert("RGB")).astype(int)
    grey = shown.mean() if mode == "L" else None
    picture = faces.grey(faces.astronaut()) if grey is not None else faces.astronaut()
    assert np.abs(shown - picture).mean() < 8


def test_rotated_is_clockwise() -> None:
    """What is at the top right after a quarter turn was at the top left."""
    picture = faces.blank(101, 101, 0)
    picture[:20, :20] = 255
    assert faces.rotated(picture, 90)[5, 95].min() > 200
