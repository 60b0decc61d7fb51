"""The connection behind a request, for answers that last: it can be cut, and it says when the server stops."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "mien.connection"


class Connection(HttpToolsProtocol):
    """uvicorn's own, put into the extensions of the ASGI scope.

    ASGI has no word for either: whoever doesn't read keeps a closed connection open for as long as it likes, since the
    rest is flushed first; and an application hears of the server's stop only after the last answer has ended, for
    which a stream would have to hear of the stop.
    """

    _stopping = False
    _on_stop: Callable[[], None] | None = None

    def on_message_begin(self) -> None:
        """See HttpToolsProtocol: a new request makes a new scope."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def connection_lost(self, exc: Exception | None) -> None:
        """See HttpToolsProtocol."""
        super().connection_lost(exc)
        if self.scope is not None:
            # the scope and its connection would keep each other in memory until the collector comes by
            self.scope["extensions"] = {}

    def shutdown(self) -> None:
        """See HttpToolsProtocol: the server calls it on each connection as soon as it stops."""
        super().shutdown()
        self._stopping = True
        if self._on_stop is not None:
            self._on_stop()

    @contextmanager
    def telling_of_stop(self, on_stop: Callable[[], None]) -> Iterator[None]:
        """Call on_stop when the server stops while the block lasts; at once, if it stops already."""
        self._on_stop = on_stop
        if self._stopping:
            on_stop()
        try:
            yield
        finally:
            self._on_stop = None

    def cut(self) -> None:
        """Close at once; what was not sent is dropped."""
        self.transport.abort()


def connection_of(scope: Scope) -> Connection | None:
    """The connection behind a request, or None where another server than ours is in use, or it has gone."""
    found = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    return found if isinstance(found, Connection) else None
