"""Damaged files: whatever happens to the bytes, the door answers with a photo or with a refusal."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from mien_core.errors import Rejected
from mien_core.photo import Photo, open_photo


def _samples() -> dict[str, bytes]:
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    image = Image.fromarray(np.stack([ramp, ramp * 2, ramp[::-1]], axis=-1))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 8.0, 15.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_itxt("Comment", "a text", zip=True)

    def encoded(source: Image.Image, file_format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        source.save(buffer, file_format, **options)
        return buffer.getvalue()

    return {
        "jpeg": encoded(image, "JPEG", exif=exif, icc_profile=profile),
        "progressive": encoded(image, "JPEG", progressive=True),
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "mpo": encoded(image, "MPO", save_all=True, append_images=[image], exif=exif),
        "png": encoded(image, "PNG", exif=exif, icc_profile=profile, pnginfo=text),
        "palette": encoded(image.quantize(8), "PNG", transparency=3),
        "apng": encoded(image, "PNG", save_all=True, append_images=[image.rotate(180)]),
        "webp": encoded(image, "WEBP", exif=exif, icc_profile=profile),
        "lossless": encoded(image.convert("RGBA"), "WEBP", lossless=True),
    }


SAMPLES = _samples()
MANY = settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_photo_or_refusal(data: bytes) -> None:
    try:
        photo = open_photo(data)
    except Rejected:
        return
    assert isinstance(photo, Photo)
    assert photo.pixels.shape == (photo.height, photo.width, 3)


@pytest.mark.filterwarnings("ignore")
@MANY
@given(kind=st.sampled_from(sorted(SAMPLES)), place=st.floats(0, 1))
@example(kind="png", place=0.0)
def test_any_prefix_is_a_photo_or_a_refusal(kind: str, place: float) -> None:
    """A file cut anywhere never raises anything but Rejected."""
    whole = SAMPLES[kind]
    assert_photo_or_refusal(whole[: int(len(whole) * place)])


@pytest.mark.filterwarnings("ignore")
@MANY
@given(
    kind=st.sampled_from(sorted(SAMPLES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=6),
)
def test_any_flipped_bits_are_a_photo_or_a_refusal(kind: str, flips: list[tuple[float, int]]) -> None:
    """A file with flipped bits, headers included, never raises anything but Rejected."""
    damaged = bytearray(SAMPLES[kind])
    for place, bit in flips:
        damaged[int(len(damaged) * place)] ^= 1 << bit
    assert_photo_or_refusal(bytes(damaged))


@pytest.mark.filterwarnings("ignore")
@MANY
@given(kind=st.sampled_from(sorted(SAMPLES)), place=st.floats(0, 0.3), garbage=st.binary(min_size=1, max_size=40))
def test_any_overwritten_header_is_a_photo_or_a_refusal(kind: str, place: float, garbage: bytes) -> None:
    """Garbage written over the front of a file, where sizes and offsets are, never raises anything but Rejected."""
    damaged = bytearray(SAMPLES[kind])
    start = int(len(damaged) * place)
    damaged[start : start + len(garbage)] = garbage
    assert_photo_or_refusal(bytes(damaged))
