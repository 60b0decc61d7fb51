"""What an issuer publishes: its discovery document and its keys, over HTTP."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from mien_local.issuer.keys import SigningKey
from mien_local.ports import HOST

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"

# how soon it notices that it shall stop
_STOP_SECONDS = 0.1


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who hung up, as whoever is stopped does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class IssuerServer:
    """An issuer on the loopback address. A context manager; it serves from threads of its own.

    Args:
        keys: what it publishes; replace `keys` to rotate them.
        port: where it listens; 0 means any.
    """

    def __init__(self, keys: Iterable[SigningKey], port: int = 0) -> None:
        self.keys = tuple(keys)
        self.requests: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._server = _Server((HOST, port), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_SECONDS,), name="issuer", daemon=True
        )

    @property
    def url(self) -> str:
        """Its name in tokens, and where it is."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> Mapping[str, Any] | None:
        """The document at this path; None if there is none."""
        with self._counting:
            self.requests[path] += 1
        if path == DISCOVERY:
            return {
                "issuer": self.url,
                "jwks_uri": self.url + KEYS,
                "id_token_signing_alg_values_supported": ["RS256"],
                "subject_types_supported": ["public"],
                "response_types_supported": [],
            }
        return {"keys": [key.published for key in self.keys]} if path == KEYS else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name is the base class'
                document = answer(self.path)
                body = json.dumps(document or {"error": "not_found"}).encode()
                self.send_response(HTTPStatus.NOT_FOUND if document is None else HTTPStatus.OK)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the api comes every few minutes."""

        return Handler
