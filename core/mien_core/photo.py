"""The one door for pixels: whatever a client sent becomes an upright sRGB photo without metadata, or is refused.

Everything that reads pixels reads them from here, so each later step may rely on one layout and one colour space,
and nothing that a camera wrote beside the picture (position, serial numbers, thumbnails) gets further than this.
The order matters: bytes are counted, the format is told from the content, the header's promises are checked, and
only then is anything decoded.
"""

import functools
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from mien_core.errors import Rejected
from mien_core.rules.uploads import MAX_BYTES

MAX_PIXELS: Final = 50_000_000
MAX_SIDE: Final = 16_384
MIN_SIDE: Final = 32

# A progressive JPEG has about ten scans; a file made to burn time has thousands, each of them cheap in bytes.
MAX_SCANS: Final = 64
# The large press profiles have 3 MB; a profile beyond this is ignored.
MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024

KEPT_CONTENT_TYPE: Final = "image/jpeg"
_KEPT_QUALITY: Final = 95

# What Pillow raises on damaged files, found by flipping bits and cutting files (tests/unit/core/test_photo_damage.py).
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    struct.error,
    zlib.error,
)

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_OTHER_IMAGES: Final = (
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"\0\0\1\0"),
    (0, b"8BPS"),
    (0, b"\xff\x0a"),
    (0, b"\0\0\0\x0cJXL "),
    (0, b"\0\0\0\x0cjP  "),
    (4, b"ftyphei"),
    (4, b"ftyphev"),
    (4, b"ftypmif1"),
    (4, b"ftypmsf1"),
    (4, b"ftypavi"),
    (0, b"<svg"),
)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo that passed the door.

    Attributes:
        pixels: height x width x 3, uint8, sRGB, upright, read-only; exactly what `encoded` decodes to.
        encoded: the photo as a JPEG (quality 95, no chroma subsampling, no metadata): what is kept.
        digest: SHA-256 (hex) of the shape and the pixels; equal digests mean equal pixels.
    """

    pixels: NDArray[np.uint8]
    encoded: bytes
    digest: str

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])


def open_photo(data: bytes) -> Photo:
    """Open what a client sent: a JPEG, PNG or WebP of any colour mode, whatever its name says.

    Transparency is laid over white, an embedded colour profile is converted to sRGB (a broken one is ignored), of an
    animation the first frame counts. The pixels are those of the JPEG that is kept, not of the file that was sent, so
    that a repeat from the kept photo (`open_kept_photo`) measures the same pixels.

    Raises:
        Rejected: photo_too_large, not_an_image, unsupported_image_format, too_many_pixels, too_few_pixels,
            image_too_complex, metadata_too_large or truncated_image.
    """
    image = _open_header(data)
    decoded = _decode(image)
    upright = _turn_upright(decoded, image)
    rgb = _to_srgb(upright, image.info.get("icc_profile"))
    return _photo_of_kept(_encode(rgb))


def open_kept_photo(encoded: bytes) -> Photo:
    """Open what `open_photo` kept: the same pixels and digest, nothing encoded again.

    Raises:
        Rejected: as open_photo, when these bytes were not written by it.
    """
    if _format_of(encoded) != "JPEG":
        raise Rejected("unsupported_image_format", "A kept photo is a JPEG; open other files as new photos.")
    return _photo_of_kept(encoded)


def _open_header(data: bytes) -> Image.Image:
    """The image with its size known and checked, no pixel decoded yet."""
    if len(data) > MAX_BYTES:
        raise Rejected(
            "photo_too_large",
            f"The photo has {len(data) / 1024 / 1024:.1f} MB; send one of at most {MAX_BYTES // 1024 // 1024} MB.",
        )
    file_format = _format_of(data)
    if file_format == "WEBP":
        # Pillow allocates a WebP's whole canvas when it opens the file, before its size could be asked for.
        _check_size(*_webp_size(data))
    try:
        image = Image.open(io.BytesIO(data), formats=(file_format,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except ValueError as error:
        if "too large" in str(error):
            raise Rejected(
                "metadata_too_large",
                "The image carries an unreasonable amount of compressed metadata; save it again without metadata.",
            ) from error
        raise _truncated() from error
    except _DAMAGE as error:
        raise _truncated() from error
    _check_size(*image.size)
    if image.info.get("progressive") and data.count(b"\xff\xda") > MAX_SCANS:
        raise Rejected("image_too_complex", "The JPEG consists of too many scans; save it again as a plain JPEG.")
    return image


def _format_of(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if any(data[offset:].startswith(magic) for offset, magic in _OTHER_IMAGES):
        raise Rejected("unsupported_image_format", "Photos are accepted as JPEG, PNG or WebP; convert this one.")
    raise Rejected("not_an_image", "These bytes are no image; send a photo as JPEG, PNG or WebP.")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP's first chunk declares (RFC 9649, sections 2.5-2.7)."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:  # noqa: PLR2004 - the chunk's length in the RFC
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L" and len(body) >= 5:  # noqa: PLR2004 - signature byte and four bytes of size
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if kind == b"VP8 " and len(body) == 10:  # noqa: PLR2004 - frame tag, start code and size in the RFC
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise _truncated()


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_many_pixels(f"{width} x {height} pixels")
    if min(width, height) < MIN_SIDE:
        raise Rejected(
            "too_few_pixels", f"The photo has {width} x {height} pixels; each side needs at least {MIN_SIDE}."
        )


def _decode(image: Image.Image) -> Image.Image:
    try:
        image.load()
    except _DAMAGE as error:
        raise _truncated() from error
    return image


def _turn_upright(image: Image.Image, header: Image.Image) -> Image.Image:
    try:
        orientation = header.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGE:
        return image  # broken metadata doesn't make the picture unusable
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    opaque = _without_alpha(image)
    if isinstance(profile, bytes) and len(profile) <= MAX_PROFILE_BYTES:
        transform = _transform_to_srgb(profile, opaque.mode)
        if transform is not None:
            return transform.apply(opaque)
    return opaque.convert("RGB")


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image in one of the modes L, RGB and CMYK, transparency laid over white."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow's own conversion clips to 255; the eight upper bits are the picture.
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    return image.convert("L" if image.mode in {"1", "LA"} else "RGB")


@functools.lru_cache(maxsize=16)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """How pixels under this profile become sRGB; None if they already are, or if the profile can't be used.

    Nearly every profile in the wild is one of a few, and the most frequent is sRGB itself, whose conversion would
    cost more than the decoding: hence the memory and the probe.
    """
    try:
        transform = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            _srgb(),
            mode,
            "RGB",
            intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, *_DAMAGE):
        return None
    if mode == "RGB":
        probe = _probe()
        changed = np.asarray(transform.apply(probe)).astype(np.int16) - np.asarray(probe)
        if int(np.abs(changed).max()) <= 1:
            return None
    return transform


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def _probe() -> Image.Image:
    """All colours on a grid of 17 steps a channel."""
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(17, 17 * 17, 3))


def _encode(rgb: Image.Image) -> bytes:
    # Pillow's JPEG writer copies a comment and more from here.
    rgb.info.clear()
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=_KEPT_QUALITY, subsampling="4:4:4", exif=b"", icc_profile=b"")
    return buffer.getvalue()


def _photo_of_kept(encoded: bytes) -> Photo:
    try:
        image = Image.open(io.BytesIO(encoded), formats=("JPEG",))
        _check_size(*image.size)
        if image.mode != "RGB":
            raise Rejected("unsupported_image_format", "A kept photo is an RGB JPEG; open other files as new photos.")
        pixels = np.asarray(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except _DAMAGE as error:
        raise _truncated() from error
    pixels.setflags(write=False)
    digest = hashlib.sha256(struct.pack("<3I", *pixels.shape))
    digest.update(pixels.data)
    return Photo(pixels, encoded, digest.hexdigest())


def _too_many_pixels(found: str = "too many pixels") -> Rejected:
    return Rejected(
        "too_many_pixels",
        f"The photo has {found}; send one of at most {MAX_PIXELS // 1_000_000} megapixels"
        f" and {MAX_SIDE} pixels a side.",
    )


def _truncated() -> Rejected:
    return Rejected("truncated_image", "The image ends early or is damaged; send the whole file again.")
