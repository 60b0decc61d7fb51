"""GET of a small JSON document from an issuer: bounded in time and size, and no redirect is followed."""

import asyncio
import contextlib
import http.client
import json
import socket
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from mien_core.errors import Unavailable

# A set of keys has a few kilobytes.
MAX_BYTES: Final = 256 * 1024
# for each step (connect, read), and for all of them
STEP_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 10.0


async def get_json(url: str, whole_seconds: float = WHOLE_SECONDS) -> Any:
    """Fetch a document; None if the server says that there is none (404).

    Raises:
        Unavailable: issuer_unavailable: no answer in time, another status than 200, too large, or no JSON.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=STEP_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    reading = asyncio.create_task(asyncio.to_thread(_read, connection, path))
    try:
        done, _ = await asyncio.wait({reading}, timeout=whole_seconds)
    finally:
        if not reading.done():
            _abort(connection)
            reading.add_done_callback(_forget)
    if not done:
        raise _unavailable(url, f"no whole answer within {whole_seconds:g} s")
    try:
        return reading.result()
    # http.client.HTTPException is none of OSError's, and deep nesting is a RecursionError
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise _unavailable(url, str(error) or type(error).__name__) from error


def _read(connection: http.client.HTTPConnection, path: str) -> Any:
    try:
        connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
        response = connection.getresponse()
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        if response.status != HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        body = response.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        if response.length:
            raise ValueError("it broke off")
        return json.loads(body)
    finally:
        connection.close()


def _abort(connection: http.client.HTTPConnection) -> None:
    """Have the thread that reads find its connection ended: a server that drips bytes would hold it for ever."""
    reached: socket.socket | None = connection.sock
    if reached is not None:
        with contextlib.suppress(OSError):
            reached.shutdown(socket.SHUT_RDWR)


def _forget(reading: "asyncio.Task[Any]") -> None:
    """Look at how it ended, which nobody waits for any more."""
    if not reading.cancelled():
        reading.exception()


def _unavailable(url: str, reason: str) -> Unavailable:
    return Unavailable("issuer_unavailable", f"{url} can't be read: {reason}", 1.0)
