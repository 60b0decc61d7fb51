"""Archives that are written while they are sent."""

import io
import random
import zipfile
from collections.abc import AsyncIterator

import pytest

from mien_api.zip_stream import Entry, zipped

PIECE = 100_000


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


async def listed(*entries: Entry) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


async def test_any_tool_reads_it() -> None:
    """Names, contents in the order of their pieces, empty files and names beyond ASCII; and its checksums are right."""
    archive = [
        piece
        async for piece in zipped(
            listed(
                Entry("a/text.json", pieces(b"[", b"1" * 10_000, b"]")),
                Entry("empty", pieces()),
                Entry("bild-\u00e4.png", pieces(b"\x89PNG"), compress=False),
            )
        )
    ]
    with zipfile.ZipFile(io.BytesIO(b"".join(archive))) as read:
        assert read.testzip() is None
        assert read.namelist() == ["a/text.json", "empty", "bild-\u00e4.png"]
        assert read.read("a/text.json") == b"[" + b"1" * 10_000 + b"]"
        assert read.getinfo("a/text.json").compress_size < 1000
        assert read.getinfo("bild-\u00e4.png").compress_type == zipfile.ZIP_STORED


async def test_no_more_of_it_is_held_than_a_piece() -> None:
    """Each piece is on its way before the next one is asked for, however many there are."""
    asked, sent, most = 0, 0, 0
    noise = random.Random(0).randbytes(PIECE)  # noqa: S311 - what can't be compressed

    async def many() -> AsyncIterator[bytes]:
        nonlocal asked, most
        for _ in range(50):
            most = max(most, asked - sent)
            asked += PIECE
            yield noise

    async for piece in zipped(listed(Entry("noise", many(), compress=False))):
        sent += len(piece)
    assert sent > 50 * PIECE
    assert most < 2 * PIECE


async def test_what_breaks_off_is_no_archive() -> None:
    """The error comes out, and what was sent can't be opened."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * PIECE
        raise ConnectionError

    sent = b""
    with pytest.raises(ConnectionError):
        async for piece in zipped(listed(Entry("a", pieces(b"whole")), Entry("b", broken()))):
            sent += piece
    assert sent
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(sent))
