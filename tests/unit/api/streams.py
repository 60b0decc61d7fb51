"""A client of server-sent events that is the ASGI server as well: it can stop reading, and leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from starlette.types import Message

from tests.sse import Event, events_of

DEADLINE_SECONDS = 60.0


@dataclass
class Stream:
    """An answer as far as it has come."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    ended: bool = False
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        return events_of(self.text)

    async def until(self, text: str) -> None:
        """Wait for a text in what has come."""
        async with asyncio.timeout(DEADLINE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: text in self.text)

    async def until_ended(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: self.ended)

    async def send(self, message: Message) -> None:
        """See ASGI; it waits while the client doesn't read."""
        await self.reading.wait()
        async with self.changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message["body"].decode()
                self.ended = not message.get("more_body", False)
            self.changed.notify_all()


@asynccontextmanager
async def streaming(app: FastAPI, path: str, authorization: str | None, **headers: str) -> AsyncIterator[Stream]:
    """Open a stream; the client leaves at the end of the block."""
    stream = Stream()
    stream.reading.set()
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await stream.left.wait()
        return {"type": "http.disconnect"}

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization is not None:
        named["authorization"] = authorization
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("192.0.2.7", 4711),
        "server": ("mien.test", 80),
    }
    answering = asyncio.create_task(app(scope, receive, stream.send))
    try:
        yield stream
    finally:
        stream.left.set()
        stream.reading.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await answering
