"""Keeps the claims of requests that are under way, and has what is too old forgotten. One a process."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Final

from mien_core.errors import Unavailable
from mien_core.idempotency import Claim, IdempotencyKeys

logger = logging.getLogger(__name__)

# A key is blocked for this long after its process died, and a process that stood still for longer lost its claims.
LEASE_SECONDS: Final = 30.0
RENEW_SECONDS: Final = 10.0
PURGE_ROWS: Final = 500


class Leases:
    """The claims that this process holds. Requests that are over within RENEW_SECONDS cost no renewal."""

    def __init__(self) -> None:
        self._begun: dict[Claim, float] = {}

    def begin(self, claim: Claim) -> None:
        """Renew this claim from now on."""
        self._begun[claim] = time.monotonic()

    def end(self, claim: Claim) -> None:
        """Renew it no more."""
        self._begun.pop(claim, None)

    @contextlib.asynccontextmanager
    async def renewing(self, keys: IdempotencyKeys) -> AsyncIterator[None]:
        """Renew and purge as long as the block lasts."""
        task = asyncio.create_task(self._renew(keys), name="idempotency-leases")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def tick(self, keys: IdempotencyKeys) -> None:
        """Renew what has been under way for RENEW_SECONDS, and purge in small batches."""
        now = time.monotonic()
        long = [claim for claim, begun in self._begun.items() if now - begun >= RENEW_SECONDS]
        if long:
            await keys.renew(long, LEASE_SECONDS)
        while await keys.purge(PURGE_ROWS) == PURGE_ROWS:
            pass

    async def _renew(self, keys: IdempotencyKeys) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.tick(keys)
            except Unavailable as error:
                # nobody can take a claim over meanwhile, either
                logger.warning("Leases can't be renewed: %s", error)
            except Exception:
                # without this task every request that takes long would lose its claim
                logger.exception("A bug in renewing leases")
