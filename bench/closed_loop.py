"""Clients that each send their next request when the last one is answered, as cheap as Python has them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

CLIENTS: Final = 16
LONGEST_SECONDS: Final = 120.0
_LENGTH: Final = b"content-length:"
_END: Final = b"\r\n\r\n"


class _Client(asyncio.Protocol):
    """One connection, which is kept. Headers and body of each answer are read, and nothing of them is looked at."""

    def __init__(self, request: Callable[[], bytes], status: bytes, count: int) -> None:
        self._request = request
        self._status = status
        self._left = count
        self._received = b""
        self._began = 0.0
        self.seconds: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # TCP has nothing else; uvloop's doesn't say so by its class
        self._transport = cast(asyncio.WriteTransport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end or len(body) < _length(head):
            return
        self.seconds.append(time.perf_counter() - self._began)
        if not head.startswith(b"HTTP/1.1 " + self._status):
            self._fail(RuntimeError(f"answered {self._received.decode(errors='replace')}"))
            return
        self._received = b""
        self._left -= 1
        if self._left:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._left:
            self._fail(exc or ConnectionError("the server hung up"))
        elif not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        request = self._request()
        self._began = time.perf_counter()
        self._transport.write(request)

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
        self._transport.close()


def _length(head: bytes) -> int:
    return int(head.lower().split(_LENGTH, 1)[1].split(b"\r", 1)[0])


async def series(port: int, request: Callable[[], bytes], status: int, requests: int) -> Sequence[float]:
    """Have CLIENTS clients send so many requests in all, and give the seconds of each.

    Args:
        port: on this machine.
        request: makes the next one, whole, as it goes over the wire.
        status: what each must be answered.
        requests: how many.

    Raises:
        RuntimeError: one was answered otherwise.
        ConnectionError: the server hung up.
        TimeoutError: they weren't answered within LONGEST_SECONDS.
    """
    loop = asyncio.get_running_loop()
    clients = []
    async with asyncio.timeout(LONGEST_SECONDS):
        for _ in range(CLIENTS):
            _, client = await loop.create_connection(
                lambda: _Client(request, str(status).encode(), requests // CLIENTS), "127.0.0.1", port
            )
            clients.append(client)
        await asyncio.gather(*(client.ended for client in clients))
    return [seconds for client in clients for seconds in client.seconds]
