"""The API server over HTTP: JSON there and back, and its refusals as the four errors."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import kopf

from mien_core.errors import Conflict, MienError, Missing, Rejected, Unavailable

Document = dict[str, Any]

_JSON: Final = "application/json"
_MERGE: Final = "application/merge-patch+json"
_CONNECTIONS: Final = 16
_RETRY_SECONDS: Final = 1.0


class ClusterApi:
    """Calls of the API server.

    Args:
        credentials: reads them; called again when the server doesn't know them any more.
        timeout_seconds: for one whole call.
    """

    def __init__(self, credentials: Callable[[], kopf.ConnectionInfo], timeout_seconds: float = 5.0) -> None:
        self._credentials = credentials
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._server = ""
        self._session: aiohttp.ClientSession | None = None
        self._left: dict[asyncio.Task[None], aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        sessions = [*self._left.values(), *([self._session] if self._session is not None else [])]
        for task in self._left:
            task.cancel()
        self._session = None
        for session in sessions:
            await session.close()

    async def get(self, path: str, **query: str) -> Document:
        """GET.

        Raises:
            MienError: as call says.
        """
        return await self.call("GET", path, query=query)

    async def create(self, path: str, body: Mapping[str, Any]) -> Document:
        """POST; Conflict where it exists.

        Raises:
            MienError: as call says.
        """
        return await self.call("POST", path, body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Document:
        """PUT; Conflict where the body's resourceVersion isn't the newest.

        Raises:
            MienError: as call says.
        """
        return await self.call("PUT", path, body)

    async def merge(self, path: str, patch: Mapping[str, Any]) -> Document:
        """PATCH by RFC 7396; Conflict where the patch's resourceVersion isn't the newest.

        Raises:
            MienError: as call says.
        """
        return await self.call("PATCH", path, patch, media_type=_MERGE)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        media_type: str = _JSON,
        accept: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> Document:
        """Do one call; media_type is the body's, accept the answer's.

        Raises:
            Missing: not_in_cluster.
            Conflict: cluster_conflict.
            Rejected: cluster_rejected.
            Unavailable: cluster_unavailable, also while the credentials are refused; cluster_forbidden.
        """
        headers = {"Accept": accept} | ({"Content-Type": media_type} if body is not None else {})
        for attempt in range(2):
            async with self._answer(method, path, body, headers, query or {}) as answer:
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    return await _read(answer, method, path)
            if attempt == 0:
                # the token has been renewed in its file
                await self.close()
        raise Unavailable("cluster_unavailable", "The API server refuses the operator's credentials.", _retry_after())

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._connected()
        url = f"{self._server}{path}"
        try:
            async with session.request(method, url, json=body, headers=headers, params=query) as answer:
                yield answer
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                self._leave(session)
            detail = f"The API server can't be reached: {error or type(error).__name__}."
            raise Unavailable("cluster_unavailable", detail, _retry_after()) from error

    def _leave(self, session: aiohttp.ClientSession) -> None:
        """Take no connection of this session again, since where one fell silent all may have; others may end on it."""
        if session is not self._session:
            return
        self._session = None
        task = asyncio.create_task(self._close_later(session))
        self._left[task] = session
        task.add_done_callback(self._left.pop)

    async def _close_later(self, session: aiohttp.ClientSession) -> None:
        await asyncio.sleep(self._timeout.total or 0.0)
        await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            info = self._credentials()
            self._server = info.server.rstrip("/")
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=info.as_ssl_context()),
                headers={**info.as_http_headers(), "User-Agent": "mien-operator"},
                timeout=self._timeout,
            )
        return self._session


async def _read(answer: aiohttp.ClientResponse, method: str, path: str) -> Document:
    if answer.status < HTTPStatus.BAD_REQUEST:
        document: Document = await answer.json(content_type=None)
        return document
    text = await answer.text()
    with contextlib.suppress(ValueError, AttributeError):
        text = str((await answer.json(content_type=None)).get("message") or text)
    raise _error(answer, f"{method} {path}: {text.strip() or answer.reason}")


def _error(answer: aiohttp.ClientResponse, what: str) -> MienError:
    match answer.status:
        case HTTPStatus.NOT_FOUND:
            return Missing("not_in_cluster", what)
        case HTTPStatus.CONFLICT:
            return Conflict("cluster_conflict", what)
        case HTTPStatus.FORBIDDEN:
            # an API server that has just begun knows no roles for a moment, and who lacks one may get it
            detail = f"{what} Apply the operator's Role and RoleBinding."
            return Unavailable("cluster_forbidden", detail, _retry_after())
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Unavailable("cluster_unavailable", what, _retry_after(answer.headers.get("Retry-After")))
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Rejected("cluster_rejected", what)
        case _:
            return Unavailable("cluster_unavailable", what, _retry_after(answer.headers.get("Retry-After")))


def _retry_after(said: str | None = None) -> float:
    seconds = float(said) if said and said.isdigit() else _RETRY_SECONDS
    return seconds * random.uniform(1.0, 1.5)  # noqa: S311 - spreads load, guards nothing
