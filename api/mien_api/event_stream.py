"""A job's steps as an answer that lasts: server-sent events."""

import asyncio
from typing import Any

from prometheus_client import Counter, Gauge
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mien_api import server_sent_events
from mien_api.connections import Connection, connection_of
from mien_api.job_feed import Over, Watch

OPEN = Gauge("mien_event_streams_open", "Event streams that are open.")
OVER = Counter("mien_event_streams_total", "Event streams that are over, by why.", ["why"])

# how long a client may take nothing of what is sent to it
WRITE_SECONDS = 10.0


class EventStream(Response):
    """Sends what its watch says until that is over. A client that doesn't take it is cut off after WRITE_SECONDS."""

    media_type = server_sent_events.MEDIA_TYPE

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.status_code = 200
        self.background = None
        # a proxy that collects or keeps an answer before it passes it on would make the stream useless
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        connection = connection_of(scope)
        leaving = asyncio.create_task(self._until_left(receive))
        OPEN.inc()
        try:
            if connection is None:
                await self._stream(send)
            else:
                with connection.telling_of_stop(lambda: self._watch.close(Over.STOPPING)):
                    await self._stream(send)
        except TimeoutError:
            self._watch.close(Over.STALLED)
            await _cut(connection, leaving)
        finally:
            OPEN.dec()
            OVER.labels(self._watch.over or Over.LEFT).inc()
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)

    async def _stream(self, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await _sent(send, start)
        await _sent(send, _body(server_sent_events.retry(self._watch.retry_milliseconds)))
        while (piece := await self._watch.next()) is not None:
            await _sent(send, _body(piece))
        await _sent(send, _body(b"", more_body=False))

    async def _until_left(self, receive: Receive) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._watch.close(Over.LEFT)


async def _sent(send: Send, message: Message) -> None:
    """Send, or raise TimeoutError: the server lets us wait while what it has to send already is too much."""
    async with asyncio.timeout(WRITE_SECONDS):
        await send(message)


async def _cut(connection: Connection | None, leaving: asyncio.Task[None]) -> None:
    """Drop the connection, and wait until the server has noticed; another server closes what we leave unfinished."""
    if connection is not None:
        connection.cut()
        await asyncio.wait({leaving}, timeout=WRITE_SECONDS)


def _body(body: bytes, *, more_body: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more_body}
