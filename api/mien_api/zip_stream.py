"""A ZIP file that is written while it is sent: no more of it is in memory than the piece at hand."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


@dataclass(frozen=True)
class Entry:
    """A file in the archive; its pieces are asked for one after the other. compress is for what isn't yet."""

    name: str
    pieces: AsyncIterator[bytes]
    compress: bool = True


class _Sink:
    """What ZipFile takes for a file that can't be sought in: it hands over what was written since the last time."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""

    def taken(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


async def zipped(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    """Write an archive of the entries. What goes wrong in between breaks it off, and no tool takes it for whole."""
    sink = _Sink()
    archive = ZipFile(sink, "w")
    async for entry in entries:
        about = ZipInfo(entry.name, time.gmtime()[:6])
        about.compress_type = ZIP_DEFLATED if entry.compress else ZIP_STORED
        with archive.open(about, "w") as file:
            async for piece in entry.pieces:
                # compression takes the processor for longer than a request may hold up the others
                await asyncio.to_thread(file.write, piece)
                if taken := sink.taken():
                    yield taken
    archive.close()
    yield sink.taken()
