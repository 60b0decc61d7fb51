"""Server-sent events as a client reads them off a connection."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

DEADLINE_SECONDS = 150.0

_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


@dataclass(frozen=True)
class Event:
    """One event as the format has it."""

    id: int
    name: str
    data: str


def events_of(text: str) -> list[Event]:
    """All whole events of a stream; comments and retry are no events."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append(Event(int(fields["id"]), fields["event"], fields["data"]))
    return found


class Connection(asyncio.Protocol):
    """One answer as it comes; small enough for thousands of them."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = bytearray()
        self._changed = asyncio.Event()
        self.closed = False
        self.transport: asyncio.Transport

    @classmethod
    async def open(
        cls, port: int, path: str, authorization: str, last_event_id: str | None = None, *, buffer: int | None = None
    ) -> Self:
        """Ask for a stream; buffer is how many bytes the kernel takes for a client that doesn't read."""
        lines = [f"GET {path} HTTP/1.1", "Host: mien.test", f"Authorization: {authorization}"]
        lines += [] if last_event_id is None else [f"Last-Event-ID: {last_event_id}"]
        request = "\r\n".join([*lines, "", ""]).encode()
        connecting = socket.socket()
        connecting.setblocking(False)
        if buffer is not None:
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connecting, ("127.0.0.1", port))
        _, connection = await loop.create_connection(lambda: cls(request), sock=connecting)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        self.closed = True
        self._changed.set()

    @property
    def status(self) -> int:
        """The answer's status; it is there once anything is."""
        return int(self._received.split(b" ", 2)[1])

    @property
    def ended(self) -> bool:
        """Whether the answer was sent whole."""
        return self._received.endswith(b"0\r\n\r\n")

    @property
    def events(self) -> list[Event]:
        """The events that have come whole, taken out of the chunks they came in."""
        rest, text = bytes(self._received).partition(b"\r\n\r\n")[2], b""
        while (size := _CHUNK.match(rest)) is not None:
            text += rest[size.end() : size.end() + int(size[1], 16)]
            rest = rest[size.end() + int(size[1], 16) + 2 :]
        return events_of(text.decode())

    async def until(self, part: bytes) -> None:
        """Wait for some bytes of the answer."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while part not in self._received:
                assert not self.closed, f"the answer ended: {bytes(self._received[-300:])!r}"
                self._changed.clear()
                await self._changed.wait()

    async def until_over(self) -> None:
        """Wait until the answer has ended or the connection is closed."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (self.ended or self.closed):
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        """Leave, without a word."""
        self.transport.abort()


@asynccontextmanager
async def connected(
    port: int, path: str, authorization: str, last_event_id: str | None = None
) -> AsyncIterator[Connection]:
    """A stream as long as the block lasts."""
    connection = await Connection.open(port, path, authorization, last_event_id)
    try:
        yield connection
    finally:
        connection.close()
