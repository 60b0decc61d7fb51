"""Serve's REST configuration API, and the router's account of comparisons, over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from pydantic import SecretStr, ValidationError

from mien_core.errors import Rejected, Unavailable
from mien_core.model.comparisons import ComparisonWindow, windows_from_json
from mien_operator.rollouts.serve_state import ServeState, parse

_APPLICATIONS: Final = "/api/serve/applications/"
_COMPARISONS: Final = "/internal/comparisons"
_ASK: Final = aiohttp.ClientTimeout(total=10)
_PUT: Final = aiohttp.ClientTimeout(total=60)
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class ServeApi:
    """Reads and replaces all that Serve runs.

    Args:
        http: the connections to use.
        url: of Ray's dashboard, where the API is: http://host:8265.
        token: what RAY_AUTH_TOKEN is there, if Ray asks for one.
    """

    http: aiohttp.ClientSession
    url: str
    token: SecretStr | None = None

    async def state(self) -> ServeState:
        """What runs.

        Raises:
            Unavailable: serve_unavailable.
        """
        try:
            async with self.http.get(self._address, headers=_bearer(self.token), timeout=_ASK) as answer:
                if answer.status != HTTPStatus.OK:
                    raise _away(f"it says {answer.status}: {await _text(answer)}")
                return parse(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _away(str(error) or type(error).__name__) from error

    async def put(self, configuration: Mapping[str, Any]) -> None:
        """Let exactly this run.

        Raises:
            Rejected: serve_configuration_refused.
            Unavailable: serve_unavailable.
        """
        headers = _bearer(self.token)
        try:
            async with self.http.put(self._address, json=configuration, headers=headers, timeout=_PUT) as answer:
                if answer.status == HTTPStatus.BAD_REQUEST:
                    raise Rejected(
                        "serve_configuration_refused", f"Serve refuses its configuration: {await _text(answer)}"
                    )
                if answer.status != HTTPStatus.OK:
                    raise _away(f"it says {answer.status}: {await _text(answer)}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _away(str(error) or type(error).__name__) from error

    @property
    def _address(self) -> str:
        return self.url.rstrip("/") + _APPLICATIONS


@dataclass(frozen=True, slots=True)
class RouterApi:
    """Reads what the router compared.

    Args:
        http: the connections to use.
        url: of the router.
        token: what it wants to hear, if it wants to hear one.
    """

    http: aiohttp.ClientSession
    url: str
    token: SecretStr | None = None

    async def windows(self) -> tuple[ComparisonWindow, ...]:
        """All that was compared.

        Raises:
            Unavailable: comparisons_unavailable.
        """
        address = self.url.rstrip("/") + _COMPARISONS
        try:
            async with self.http.get(address, headers=_bearer(self.token), timeout=_ASK) as answer:
                if answer.status != HTTPStatus.OK:
                    raise _untold(f"it says {answer.status}: {await _text(answer)}")
                return windows_from_json(await answer.read()).windows
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise _untold(str(error) or type(error).__name__) from error


def _bearer(token: SecretStr | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}


async def _text(answer: aiohttp.ClientResponse) -> str:
    return (await answer.text(errors="replace"))[:_LONGEST]


def _away(why: str) -> Unavailable:
    return Unavailable("serve_unavailable", f"Ray Serve's API can't be used now ({why}); it is tried again.", 2.0)


def _untold(why: str) -> Unavailable:
    return Unavailable("comparisons_unavailable", f"The router doesn't tell what was compared ({why}).", 2.0)
