"""The Resolver port on the system's resolver, in threads of its own.

The event loop's threads are everybody's, database connections included, and a look-up that nobody answers holds one
for half a minute.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mien_core.errors import Unavailable

_THREADS: Final = 8


class SystemResolver:
    """Meets ports.webhooks.Resolver."""

    def __init__(self) -> None:
        # its threads begin with the first look-up
        self._threads = ThreadPoolExecutor(_THREADS, "dns")

    async def addresses(self, host: str) -> Sequence[str]:
        """See ports.webhooks.Resolver."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)
        # UnicodeError: what can't be written in the form that DNS has for names
        except (OSError, UnicodeError) as error:
            raise Unavailable("host_unresolved", f"The host {host} has no address now: {error}.") from error
        return found


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    # an IPv6 address with a zone keeps it, so that nobody takes it for a public one
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
