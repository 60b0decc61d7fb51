"""One issuer's keys in memory: fresh, looked for at most so often, and good for a while without the issuer."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from prometheus_client import Counter

from mien_api.key_sets import KeySet
from mien_core.errors import Unavailable

logger = logging.getLogger(__name__)

FETCHES = Counter("mien_issuer_fetches_total", "Fetches of an issuer's keys.", ["issuer", "outcome"])

# Whoever sends made-up key ids makes us ask the issuer six times a minute, and no more often.
BETWEEN_SECONDS: Final = 10.0
# how soon the background tries again where the issuer didn't answer
RETRY_SECONDS: Final = 30.0


class SigningKeys:
    """The keys of one issuer.

    Args:
        issuer: its name in logs and metrics.
        fetch: gets what the issuer publishes now; raises Unavailable.
        refresh_seconds: the age at which keys are fetched anew, in the background.
        keep_seconds: the age until which they count where that fails.
        between_seconds: how long nobody looks for an unknown key after somebody has.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], Awaitable[KeySet]],
        *,
        refresh_seconds: float,
        keep_seconds: float,
        between_seconds: float = BETWEEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._refresh_seconds = refresh_seconds
        self._keep_seconds = keep_seconds
        self._between_seconds = between_seconds
        self._clock = clock
        self._keys: KeySet = {}
        self._fetched_at = float("-inf")
        self._looked_at = float("-inf")
        self._is_away = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> RSAPublicKey | None:
        """The key of this id; None if the issuer has no such key, or none that may be used.

        An unknown one is looked for once, by one fetch for all who ask meanwhile.

        Raises:
            Unavailable: issuer_unavailable, if only the issuer could tell.
        """
        if not self._knows(kid):
            await self._look()
        if self._knows(kid):
            return self._keys[kid]
        if self._is_away or self._is_outdated():
            detail = "The token can't be checked: its issuer doesn't answer. Try again shortly."
            wait = self._looked_at + self._between_seconds - self._clock()
            raise Unavailable("issuer_unavailable", detail, max(1.0, wait))
        return None

    @contextlib.asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Fetch now and before keys get old, in the background, as long as the block lasts."""
        refreshing = asyncio.create_task(self._refresh_for_ever(), name="issuer-keys")
        try:
            yield
        finally:
            tasks = {refreshing} | ({self._fetching} if self._fetching else set())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _knows(self, kid: str) -> bool:
        return kid in self._keys and not self._is_outdated()

    def _is_outdated(self) -> bool:
        return self._clock() - self._fetched_at > self._keep_seconds

    async def _look(self) -> None:
        """Fetch, unless somebody did a moment ago; who comes meanwhile waits for the same fetch."""
        if self._fetching is None:
            if self._clock() - self._looked_at < self._between_seconds:
                return
            self._begin()
        if self._fetching is not None:
            # a client that hangs up must not take the others' fetch with it
            await asyncio.shield(self._fetching)

    def _begin(self) -> "asyncio.Task[None]":
        self._looked_at = self._clock()
        self._fetching = asyncio.create_task(self._fetch_now(), name="issuer-fetch")
        self._fetching.add_done_callback(self._end)
        return self._fetching

    def _end(self, fetching: "asyncio.Task[None]") -> None:
        self._fetching = None
        if not fetching.cancelled() and fetching.exception() is not None:
            logger.error("A bug in fetching keys of %s", self._issuer, exc_info=fetching.exception())

    async def _fetch_now(self) -> None:
        try:
            keys = await self._fetch()
        except Unavailable as error:
            self._is_away = True
            FETCHES.labels(self._issuer, "failed").inc()
            logger.warning("Keys of the issuer %s can't be fetched: %s", self._issuer, error.detail)
            return
        self._keys, self._fetched_at, self._is_away = keys, self._clock(), False
        FETCHES.labels(self._issuer, "fetched").inc()

    async def _refresh_for_ever(self) -> None:
        while True:
            fetching = self._fetching or self._begin()
            await asyncio.wait({fetching})
            # earlier than said and not all at once: replicas that were started together would stay together
            seconds = self._refresh_seconds * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing
            await asyncio.sleep(min(seconds, RETRY_SECONDS) if self._is_away else seconds)
