"""What the door for pixels lets in, in which shape, and what it refuses, each with its own code."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from mien_core.errors import Rejected
from mien_core.photo import MAX_SCANS, Photo, open_kept_photo, open_photo
from mien_core.rules.uploads import MAX_BYTES


def scene(width: int = 160, height: int = 120) -> Image.Image:
    """Four flat quarters: red, green, blue, white, so that orientation and colour can be read off."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 40)
    pixels[: height // 2, width // 2 :] = (40, 160, 60)
    pixels[height // 2 :, : width // 2] = (50, 60, 180)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def quarters(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """The colours at the centres of the four quarters, row by row."""
    height, width = pixels.shape[:2]
    return [
        tuple(int(value) for value in pixels[height * row // 4, width * column // 4])
        for row in (1, 3)
        for column in (1, 3)
    ]


def assert_shows_scene(photo: Photo, tolerance: int = 6) -> None:
    expected = quarters(np.asarray(scene()))
    difference = np.abs(np.array(quarters(photo.pixels)) - np.array(expected)).max()
    assert difference <= tolerance, quarters(photo.pixels)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def code_of(data: bytes) -> str:
    with pytest.raises(Rejected) as refusal:
        open_photo(data)
    return refusal.value.code


def with_orientation(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    undo: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene() if orientation == 1 else scene().transpose(undo[orientation])
    return encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif)


def alpha_palette() -> Image.Image:
    """The scene as a palette image whose white quarter is transparent."""
    image = scene().quantize(8)
    index = image.getpixel((150, 110))
    image.info["transparency"] = index
    return image


def sixteen_bit_grey() -> Image.Image:
    grey = np.asarray(scene().convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 256 + grey)


COLOUR_MODES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(scene(), "JPEG", quality=95),
    "progressive jpeg": lambda: encoded(scene(), "JPEG", quality=95, progressive=True),
    "cmyk jpeg": lambda: encoded(scene().convert("CMYK"), "JPEG", quality=95),
    "png": lambda: encoded(scene(), "PNG"),
    "rgba png": lambda: encoded(scene().convert("RGBA"), "PNG"),
    "palette png": lambda: encoded(scene().quantize(8), "PNG"),
    "palette png with alpha": lambda: encoded(
        alpha_palette(), "PNG", transparency=alpha_palette().info["transparency"]
    ),
    "webp": lambda: encoded(scene(), "WEBP", lossless=True),
    "animated webp": lambda: encoded(
        scene(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (160, 120), "black")]
    ),
    "animated png": lambda: encoded(
        scene(), "PNG", save_all=True, append_images=[Image.new("RGB", (160, 120), "black")]
    ),
    "two-picture jpeg": lambda: encoded(
        scene(), "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (160, 120), "black")]
    ),
}


@pytest.mark.parametrize("kind", COLOUR_MODES)
def test_every_colour_mode_shows_the_same_picture(kind: str) -> None:
    """CMYK, palettes, alpha, animations and WebP all come out as the RGB picture that a viewer shows."""
    photo = open_photo(COLOUR_MODES[kind]())
    assert (photo.width, photo.height) == (160, 120)
    assert photo.pixels.dtype == np.uint8
    assert_shows_scene(photo)


@pytest.mark.parametrize(
    "data",
    [
        encoded(scene().convert("L"), "JPEG", quality=95),
        encoded(scene().convert("L"), "PNG"),
        encoded(scene().convert("LA"), "PNG"),
        encoded(sixteen_bit_grey(), "PNG"),
    ],
    ids=["jpeg", "png", "grey with alpha", "16 bits"],
)
def test_greyscale_keeps_its_brightness(data: bytes) -> None:
    """Greyscale photos, also of 16 bits, become RGB with equal channels and the same brightness."""
    photo = open_photo(data)
    expected = np.asarray(scene().convert("L").convert("RGB"))
    assert np.abs(np.array(quarters(photo.pixels)) - np.array(quarters(expected))).max() <= 3


def test_transparency_lies_over_white() -> None:
    """What is transparent becomes white, half transparent half white; hidden colours don't show."""
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 0, 128), (32, 0, 64, 64))
    photo = open_photo(encoded(image, "PNG"))
    assert photo.pixels[32, 8].min() >= 253
    assert abs(int(photo.pixels[32, 56, 0]) - 127) <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_come_out_upright(orientation: int) -> None:
    """Each of the eight EXIF orientations is undone, so that pixels need no note on how to hold them."""
    photo = open_photo(with_orientation(orientation))
    assert (photo.width, photo.height) == (160, 120)
    assert_shows_scene(photo)


def test_webp_named_jpg_is_told_by_its_content() -> None:
    """The door never hears a file's name: WebP bytes are WebP whatever they are called."""
    assert_shows_scene(open_photo(encoded(scene(), "WEBP", quality=95)), tolerance=20)


def test_metadata_ends_at_the_door() -> None:
    """A position, an owner, a comment and a text chunk that go in do not come out."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "SECRET-OWNER"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 8.0, 15.0)
    jpeg = encoded(
        scene(), "JPEG", exif=exif, comment=b"SECRET-COMMENT", xmp=b"<x:xmpmeta>SECRET-XMP</x:xmpmeta>", dpi=(300, 300)
    )
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET-TEXT")
    png = encoded(scene(), "PNG", exif=exif, pnginfo=text)
    for data in (jpeg, png):
        assert b"SECRET" in data
        kept = open_photo(data).encoded
        assert b"SECRET" not in kept
        image = Image.open(io.BytesIO(kept))
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_the_kept_photo_gives_the_same_pixels() -> None:
    """Opening what was kept gives the pixels, bytes and digest of the first time."""
    first = open_photo(encoded(scene(), "PNG"))
    again = open_kept_photo(first.encoded)
    assert again.digest == first.digest
    assert again.encoded == first.encoded
    assert np.array_equal(again.pixels, first.pixels)


def test_digest_means_pixels_and_shape() -> None:
    """The digest differs when a pixel does, and when the same bytes have another shape."""
    wide, tall = Image.new("RGB", (64, 32), "grey"), Image.new("RGB", (32, 64), "grey")
    dotted = wide.copy()
    dotted.paste("white", (8, 8, 16, 16))
    digests = {open_photo(encoded(image, "PNG")).digest for image in (wide, tall, dotted)}
    assert len(digests) == 3
    assert open_photo(encoded(wide, "PNG", compress_level=1)).digest in digests


def test_pixels_are_read_only() -> None:
    """Nobody downstream can change the pixels that the digest stands for."""
    with pytest.raises(ValueError, match="read-only"):
        open_photo(encoded(scene(), "PNG")).pixels[0, 0, 0] = 1


def test_a_colour_profile_is_converted_to_srgb() -> None:
    """Pixels under another profile come out as the sRGB colours that a managed viewer shows."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    inverse = ImageCms.buildTransform(srgb, swapped_profile(), "RGB", "RGB")
    stored = ImageCms.applyTransform(scene(), inverse)
    assert stored is not None
    stored.info.clear()
    data = encoded(stored, "PNG", icc_profile=swapped_profile().tobytes())
    assert_shows_scene(open_photo(data))
    untagged = open_photo(encoded(stored, "PNG"))
    assert np.abs(np.array(quarters(untagged.pixels)) - np.array(quarters(np.asarray(scene())))).max() > 50


def swapped_profile() -> ImageCms.ImageCmsProfile:
    """SRGB with its red and green primaries exchanged: unmistakable when it is ignored."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return ImageCms.ImageCmsProfile(io.BytesIO(bytes(profile)))


@pytest.mark.parametrize("profile", [b"no profile at all", b"\0" * 200, swapped_profile().tobytes()[:300]])
def test_a_broken_colour_profile_is_ignored(profile: bytes) -> None:
    """A profile that can't be used costs nobody the photo."""
    assert_shows_scene(open_photo(encoded(scene(), "JPEG", quality=95, icc_profile=profile)))


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    """An RGB profile on a CMYK or greyscale photo says nothing about it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_shows_scene(open_photo(encoded(scene().convert("CMYK"), "JPEG", quality=95, icc_profile=profile)))


@pytest.mark.parametrize("data", [b"", b"\xff", b"hello, this is no image" * 50, b"%PDF-1.7 ", b"PK\x03\x04" * 20])
def test_not_an_image(data: bytes) -> None:
    """Bytes that are no image are refused as such."""
    assert code_of(data) == "not_an_image"


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF", "AVIF", "ICO"])
def test_other_image_formats_are_named_so(file_format: str) -> None:
    """Images of other formats are refused with the advice to convert, not as garbage."""
    assert code_of(encoded(scene(), file_format)) == "unsupported_image_format"


def test_eleven_megabytes_are_too_large() -> None:
    """The limit counts bytes before anything is looked at; at the limit itself a photo passes."""
    photo = encoded(scene(), "JPEG")
    assert code_of(photo + b"\0" * (11_000_000 - len(photo))) == "photo_too_large"
    assert open_photo(photo + b"\0" * (MAX_BYTES - len(photo))).width == 160


def test_twenty_thousand_pixels_square_are_refused_by_the_header() -> None:
    """A 20,000 x 20,000 PNG is refused within milliseconds: nothing of it is decoded or allocated.

    The fastest of several times counts: what it costs, it costs each time, unlike what else the machine does.
    """
    data = png_header(20_000, 20_000) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        assert code_of(data) == "too_many_pixels"
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.1


@pytest.mark.parametrize(("width", "height"), [(10_000, 5_001), (16_385, 100)])
def test_header_limits(width: int, height: int) -> None:
    """More than 50 megapixels, or a side that no encoder takes, is refused from the header alone."""
    assert code_of(png_header(width, height) + png_chunk(b"IDAT", b"")) == "too_many_pixels"


@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
def test_a_large_webp_is_refused_before_its_canvas_is_allocated(lossless: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Pillow allocates a WebP's canvas when it opens the file, so the door reads the size itself."""
    data = bytearray(encoded(scene(), "WEBP", lossless=lossless))
    if lossless:
        data[21:25] = struct.pack("<I", (12_000 - 1) | (12_000 - 1) << 14)
    else:
        data[26:30] = struct.pack("<HH", 12_000, 12_000)
    assert code_of(bytes(data)) == "too_many_pixels"
    extended = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0" * 4
    size = (12_000 - 1).to_bytes(3, "little")
    assert code_of(extended + size + size) == "too_many_pixels"


def test_too_few_pixels() -> None:
    """A thumbnail is refused: no measure of it would mean anything."""
    assert code_of(encoded(Image.new("RGB", (400, 31)), "PNG")) == "too_few_pixels"


def test_a_text_bomb_is_refused() -> None:
    """A PNG whose metadata unpacks to dozens of megabytes is refused, not unpacked."""
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * 40_000_000)
    data = png_header(64, 64) + png_chunk(b"zTXt", bomb) + png_chunk(b"IDAT", b"")
    assert code_of(data) == "metadata_too_large"


def test_a_profile_bomb_is_refused() -> None:
    """The same for a colour profile that unpacks without end."""
    bomb = b"icc\0\0" + zlib.compress(b"\0" * 40_000_000)
    data = png_header(64, 64) + png_chunk(b"iCCP", bomb) + png_chunk(b"IDAT", b"")
    assert code_of(data) == "metadata_too_large"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    """Scans cost a decoder time and an attacker nearly nothing: thousands of them are refused by counting."""
    data = encoded(scene(), "JPEG", progressive=True)
    first_scan = data.index(b"\xff\xda")
    last_scan = data.rindex(b"\xff\xda")
    scans = data[last_scan:-2] * (MAX_SCANS + 1)
    assert code_of(data[:first_scan] + scans + b"\xff\xd9") == "image_too_complex"


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files(kind: str, share: float) -> None:
    """A file that ends early is refused at whatever place it ends; no half grey photo is ever analysed."""
    noise = np.random.default_rng(7).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    whole = {
        "jpeg": encoded(Image.fromarray(noise), "JPEG"),
        "progressive jpeg": encoded(Image.fromarray(noise), "JPEG", progressive=True),
        "png": encoded(Image.fromarray(noise), "PNG"),
        "webp": encoded(Image.fromarray(noise), "WEBP"),
    }[kind]
    assert code_of(whole[: max(16, int(len(whole) * share))]) == "truncated_image"


def test_a_kept_photo_is_a_jpeg_of_ours() -> None:
    """What isn't a kept photo is refused as one, with the door's own codes."""
    with pytest.raises(Rejected, match="unsupported_image_format"):
        open_kept_photo(encoded(scene(), "PNG"))
    with pytest.raises(Rejected, match="unsupported_image_format"):
        open_kept_photo(encoded(scene().convert("L"), "JPEG"))
    with pytest.raises(Rejected, match="truncated_image"):
        open_kept_photo(open_photo(encoded(scene(), "PNG")).encoded[:600])
