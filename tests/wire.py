"""A wire between a client and a server that can be cut, and on which everything can stand still."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Passes bytes on. Made without listening; lay() does.

    Args:
        port: the server's, on the loopback address.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._refuses = False
        self._ends: list[socket.socket] = []
        self._still: set[socket.socket] = set()
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Break off all connections, and refuse new ones until mend is called."""
        self._refuses = True
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take new connections again."""
        self._refuses = False

    def stand_still(self) -> None:
        """Let no byte pass any more on the connections that there are, and tell nobody; new ones are well."""
        with self._lock:
            self._still.update(self._ends)

    def run(self) -> None:
        """Take connections until close is called."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._ends += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self.cut()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        others = {client: server, server: client}
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            for end in others:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    end = client if key.fileobj is client else server
                    data = end.recv(65536)
                    if not data:
                        return
                    if end not in self._still:
                        others[end].sendall(data)


@contextlib.contextmanager
def laid(port: int) -> Iterator[Wire]:
    """A wire to a port, for as long as the block lasts."""
    wire = Wire(port)
    thread = threading.Thread(target=wire.run, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.close()
        thread.join(5)
