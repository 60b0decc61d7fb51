"""How a message gets out: over HTTP, to an address that was looked at when it was connected to.

A name may have a public address when it is checked and a private one when it is used. So the check is not of the name
but of the address, in the one place where sockets are made: whatever URL, resolver or library was before it, nothing is
connected that isn't public. TLS and the Host header keep the name.
"""

import errno
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from mien_core.errors import Rejected, Unavailable
from mien_core.ports.webhooks import Resolver
from mien_core.rules.egress import check_url, is_public
from mien_core.rules.webhooks import seconds_advised

# for all of it: look-up, connection, TLS, sending, and the head of the answer
TIMEOUT_SECONDS: Final = 15.0
# what an answer's head may have at most; nothing of its body is read
LONGEST_LINE: Final = 4096
MOST_HEADERS: Final = 64
USER_AGENT: Final = "mien-webhooks/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; advised is what Retry-After asks for, in seconds."""

    status: int
    advised: float


class NotAnsweredError(Exception):
    """Nothing came back; outcome says why: address_refused, timeout or unreachable."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(f"{outcome}: {why}")
        self.outcome = outcome


class AddressRefusedError(OSError):
    """The address isn't a public one."""

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, f"{address} is not a public address")


class WebhookSender:
    """Sends messages. An async context manager.

    Args:
        resolver: the names of hosts.
        allow_private: whether they may go anywhere, also without TLS.
        timeout_seconds: for one message.
    """

    def __init__(
        self, resolver: Resolver, *, allow_private: bool = False, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._names = _Names(resolver)
        self._allow_private = allow_private
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._names,
            use_dns_cache=False,
            socket_factory=self._new_socket,
            # bodies aren't read to their end, so a connection can't be used twice; how many there are decides the role
            force_close=True,
            limit=0,
            ssl=ssl.create_default_context(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Content-Type": "application/json"},
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            # a proxy would connect to whatever it likes
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST a message and give the answer's head.

        Raises:
            NotAnsweredError: it may have arrived all the same.
        """
        assert self._session is not None  # noqa: S101 - it was entered; tells mypy so
        try:
            check_url(url, allow_private=self._allow_private)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                advised = seconds_advised(answer.headers.get("Retry-After"), datetime.now(UTC))
                return Answer(answer.status, advised)
        except Rejected as error:
            # private addresses were allowed when it was registered
            raise NotAnsweredError("address_refused", error.detail) from error
        except TimeoutError as error:
            raise NotAnsweredError("timeout", f"no answer within {self._timeout.total} s") from error
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefusedError)
            raise NotAnsweredError("address_refused" if refused else "unreachable", str(error.os_error)) from error
        except (aiohttp.ClientError, Unavailable, OSError, ValueError) as error:
            # ValueError: an answer that isn't HTTP. Its words may be anybody's, so only its kind is told.
            raise NotAnsweredError("unreachable", type(error).__name__) from error

    def _new_socket(self, info: AddrInfoType) -> socket.socket:
        """Make the socket that is going to be connected to this very address.

        Raises:
            AddressRefusedError: it isn't public.
        """
        family, kind, protocol, _, address = info
        if not (self._allow_private or is_public(str(address[0]))):
            raise AddressRefusedError(str(address[0]))
        return socket.socket(family, kind, protocol)


class _Names(AbstractResolver):
    """The Resolver port as aiohttp asks for it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look a name up, anew each time."""
        found = [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._resolver.addresses(host)
        ]
        return [one for one in found if family in {socket.AF_UNSPEC, one["family"]}]

    async def close(self) -> None:
        """Nothing is held."""
