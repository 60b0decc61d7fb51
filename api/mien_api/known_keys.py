"""API keys that were looked up a moment ago, so that a busy frontend costs no statement a request.

A revoked key counts for REMEMBER_SECONDS more at most, in each process, whatever is signalled or lost. While a key is
in use one request in RENEW_SECONDS looks it up anew, and the others go on with what is known.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mien_api.credentials import caller_of_hash, hash_of
from mien_core.errors import Rejected
from mien_core.model.platform import Caller
from mien_core.ports.database import Database

REMEMBER_SECONDS: Final = 1.0
RENEW_SECONDS: Final = 0.5
# About 5 MB at most. Whose key falls out of it costs a statement at the next request.
KEYS_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Known:
    """Whose a key was at a moment of the clock, and whether somebody is looking it up anew."""

    caller: Caller
    at: float
    renewing: bool = False


class KnownKeys:
    """Says whose an API key is. One a process. Wrong keys aren't remembered.

    Args:
        database: where keys are.
        clock: seconds that only go forward.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        # in the order in which they were looked up
        self._known: dict[str, _Known] = {}

    async def caller(self, secret: str) -> Caller:
        """Find out whose key this is, or was at most REMEMBER_SECONDS ago.

        Raises:
            Rejected: credential_invalid.
            Unavailable: database_unavailable.
        """
        secret_hash = hash_of(secret)
        known = self._known.get(secret_hash)
        if known is None:
            return await self._look_up(secret_hash)
        if self._clock() - known.at < (REMEMBER_SECONDS if known.renewing else RENEW_SECONDS):
            return known.caller
        known.renewing = True
        try:
            return await self._look_up(secret_hash)
        finally:
            # the next one tries where this one was cancelled
            known.renewing = False

    async def _look_up(self, secret_hash: str) -> Caller:
        # from before it was asked: what is revoked meanwhile may have been read as it was
        at = self._clock()
        try:
            caller = await caller_of_hash(self._database, secret_hash)
        except Rejected:
            self._known.pop(secret_hash, None)
            raise
        self._known.pop(secret_hash, None)
        while len(self._known) >= KEYS_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[secret_hash] = _Known(caller, at)
        return caller
