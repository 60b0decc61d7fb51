"""A gate before the S3 server: bytes pass it as they are, or late, or it answers every request with a 500 itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Self

from mien_local.ports import HOST

CHUNK = 64 * 1024
SLOW_SECONDS = 0.5
REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mode(StrEnum):
    """What the gate does with whoever comes."""

    OPEN = "open"
    SLOW = "slow"
    REFUSING = "refusing"


class Gate:
    """Listens on a port of its own and passes on to another; an async context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._mode = Mode.OPEN
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.refused = 0

    @property
    def url(self) -> str:
        """Where it listens. Requests are signed with this address, and the server behind believes it."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        # whoever is connected has to come again, and meets what holds now
        for writer in list(self._connections):
            writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            self.mode = Mode.OPEN

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if self._mode is Mode.REFUSING:
                    await reader.readuntil(b"\r\n\r\n")
                    self.refused += 1
                    writer.write(REFUSAL)
                    await writer.drain()
                else:
                    await self._pass(reader, writer)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._behind() as (answers, asks):
            ways = {asyncio.create_task(self._copy(reader, asks)), asyncio.create_task(self._copy(answers, writer))}
            # either side's end is the other's
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _behind(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            if self._mode is Mode.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(chunk)
            await writer.drain()
