"""The api's internal endpoints, the only way on which the operator reaches data: JSON over HTTP, with a scoped key."""

import json
from collections.abc import Mapping
from typing import Any, Final, Self

import aiohttp
from pydantic import SecretStr

from mien_core.errors import Conflict, Missing, Rejected, Unavailable

TIMEOUT_SECONDS: Final = 15.0
_BAD: Final = 400
_MISSING: Final = 404
_CONFLICT: Final = 409
_LIMITED: Final = 429
_BROKEN: Final = 500


class InternalApi:
    """A client; use it as a context. Its errors are mien_core's, with the code and the detail that the api gave.

    Args:
        url: the api's address.
        key: an API key with the scope operator.
        timeout_seconds: for one whole request.
    """

    def __init__(self, url: str, key: SecretStr, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url.rstrip("/") + "/internal/v1"
        self._key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Begin to use it."""
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}", "Accept": "application/json"}
        self._session = aiohttp.ClientSession(headers=headers, timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give connections back."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read something."""
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something."""
        return await self.call("POST", path, body=body)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call an endpoint; give its body, which is empty where the answer has none.

        Args:
            method: in capitals.
            path: after /internal/v1, with its slash.
            params: the query.
            body: sent as JSON.

        Raises:
            Missing: 404.
            Conflict: 409.
            Rejected: what is refused otherwise, such as a key without the scope.
            Unavailable: the api is away, full, or broken.
        """
        if self._session is None:
            raise TypeError("An InternalApi is used as a context: async with InternalApi(...) as api.")
        try:
            async with self._session.request(method, self._url + path, params=params, json=body) as answer:
                content = await answer.read()
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            detail = (
                f"The api can't be reached at {self._url} ({type(error).__name__}). Check its address and its pods."
            )
            raise Unavailable("api_unavailable", detail) from error
        told = _read(content)
        if status < _BAD:
            return told
        raise _error(status, str(told.get("code", "api_broken")), str(told.get("detail", "")), retry_after)


def _read(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content) if content else {}
    except ValueError:
        # a proxy's page, say
        return {}
    return told if isinstance(told, dict) else {}


def _error(status: int, code: str, detail: str, retry_after: str) -> Conflict | Missing | Rejected | Unavailable:
    if status == _MISSING:
        return Missing(code, detail)
    if status == _CONFLICT:
        return Conflict(code, detail)
    if status >= _BROKEN or status == _LIMITED:
        seconds = float(retry_after) if retry_after.isdigit() else 1.0
        return Unavailable(code, detail or f"The api answers {status}. Look at its log.", seconds)
    return Rejected(code, detail or f"The api answers {status}. Check the operator's key and its scope.")
