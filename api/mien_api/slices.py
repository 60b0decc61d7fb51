"""Admits requests out of slices that were leased from an allowance all replicas share.

A request mostly decrements a number in this process. Where a slice is half used the next one is leased in the
background; one that nobody uses goes back. While the shared store is away, the process counts alone.

What is promised, for each key (tests/unit/api/test_slices.py and tests/integration/test_limits.py hold it):
- In a window of the store never more than the limit is admitted, by however many processes.
- Each process that can't reach the store admits, by itself, at most the limit in a window's length.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from prometheus_client import Counter, Gauge

from mien_core.errors import Unavailable
from mien_core.quotas import Lease, Quotas, Unused, Wanted
from mien_core.rules.quotas import slice_of

logger = logging.getLogger(__name__)

LEASES = Counter("mien_rate_limit_leases_total", "Slices asked of the shared store.", ["outcome"])
LIMITED = Counter("mien_requests_limited_total", "Requests refused because their caller had too many.", ["quota"])
AWAY = Gauge("mien_rate_limit_store_away", "1 while this process limits by itself.")

# A request never waits longer for the store than this.
PATIENCE_SECONDS = 1.0
# how often the store is asked whether it is back
TICK_SECONDS = 1.0
# What nobody used for so long goes back, so that a caller who comes to other processes finds it there.
IDLE_SECONDS = 5.0
# Whoever was refused may be lucky after this: others give back.
ASK_AGAIN_SECONDS = 1.0
FORGET_SECONDS = 60.0
# More callers than this within a window aren't remembered; whoever is forgotten leases again.
MOST_SLICES = 100_000

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests in a window of so many seconds; the name is shown to clients and is part of the key."""

    name: str
    limit: int
    window_seconds: float


@dataclass(slots=True)
class Slice:
    """What this process may admit of one window of one key; times are of the limiter's clock.

    window is the store's name for it, None where the process counts alone. unleased is what nobody had leased when the
    store was last asked; before shut_until it needn't be asked again.
    """

    window: str | None
    left: int
    unleased: int
    ends_at: float
    used_at: float
    spent: int = 0
    shut_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a quota is left, as far as this process knows, and in how many seconds there is more.

    part is what a request was admitted by, None if it wasn't.
    """

    quota: Quota
    remaining: int
    resets_in: int
    part: Slice | None = field(default=None, repr=False, compare=False)


class Limiter:
    """Admits requests of keys, or refuses them. One a process; all of it belongs to one event loop.

    Args:
        quotas: what the replicas share; None means that this process counts alone.
        clock: seconds that never go back.
    """

    def __init__(self, quotas: Quotas | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._quotas = quotas
        self._clock = clock
        self._away = False
        self._slices: dict[Key, Slice] = {}
        # who waits for the next statement, and who for the one under way
        self._wanted: dict[Key, tuple[Quota, asyncio.Future[None]]] = {}
        self._under_way: dict[Key, tuple[Quota, asyncio.Future[None]]] = {}
        self._leasing: asyncio.Task[None] | None = None

    async def take(self, quota: Quota, *key: str) -> Standing:
        """Admit one request of the key.

        Raises:
            Unavailable: rate_limited.
        """
        place = (quota.name, *key)
        while True:
            now = self._clock()
            part = self._slices.get(place)
            if part is not None and now < part.ends_at:
                if part.left > 0:
                    return self._taken(quota, place, part, now)
                if now < part.shut_until:
                    LIMITED.labels(quota.name).inc()
                    raise _limited(quota, part.ends_at - now)
            if self._quotas is None or self._away:
                self._count_alone(quota, place, now)
            else:
                # who waits may be cancelled, with its request; the others wait on
                await asyncio.shield(self._lease(self._quotas, quota, place))

    def standing(self, quota: Quota, *key: str) -> Standing:
        """Look without taking, and without asking anybody."""
        now = self._clock()
        part = self._slices.get((quota.name, *key))
        if part is None or part.ends_at <= now:
            return Standing(quota, quota.limit, math.ceil(quota.window_seconds))
        return _standing(quota, part, now)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep house as long as the block lasts, and give back what is left over at its end."""
        keeping = asyncio.create_task(self._keep_house(), name="limits")
        try:
            yield
        finally:
            tasks = {keeping, self._leasing} if self._leasing is not None else {keeping}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for _, leased in (*self._under_way.values(), *self._wanted.values()):
                leased.cancel()
            with contextlib.suppress(Unavailable, TimeoutError):
                await self._give_back(idle_since=self._clock())

    def _taken(self, quota: Quota, place: Key, part: Slice, now: float) -> Standing:
        part.left -= 1
        part.spent += 1
        part.used_at = now
        half = slice_of(quota.limit) // 2
        if half and part.left <= half and part.unleased and self._quotas is not None and not self._away:
            self._lease(self._quotas, quota, place)
        return _standing(quota, part, now, part)

    def _count_alone(self, quota: Quota, place: Key, now: float) -> None:
        """Give the key what this process has not yet admitted of a window; nothing until its end if that is nothing."""
        part = self._slices.get(place)
        if part is None or part.ends_at <= now:
            ends_at = now + quota.window_seconds
            self._remember(place, Slice(None, left=quota.limit, unleased=0, ends_at=ends_at, used_at=now))
            return
        part.window, part.left, part.unleased = None, max(0, quota.limit - part.spent), 0
        part.shut_until = part.ends_at

    def _lease(self, quotas: Quotas, quota: Quota, place: Key) -> asyncio.Future[None]:
        """Have a slice leased: with the next statement, together with all that others want by then."""
        known = self._under_way.get(place) or self._wanted.get(place)
        if known is not None:
            return known[1]
        leased = asyncio.get_running_loop().create_future()
        self._wanted[place] = quota, leased
        if self._leasing is None:
            self._leasing = asyncio.create_task(self._lease_all(quotas), name="limits-lease")
        return leased

    async def _lease_all(self, quotas: Quotas) -> None:
        while self._wanted:
            self._under_way, self._wanted = self._wanted, {}
            await self._lease_at_once(quotas, {place: quota for place, (quota, _) in self._under_way.items()})
            for _, leased in self._under_way.values():
                leased.set_result(None)
            self._under_way = {}
        self._leasing = None

    async def _lease_at_once(self, quotas: Quotas, places: Mapping[Key, Quota]) -> None:
        # by its beginning, so that a slow answer makes the slices end earlier than their windows and never later
        asked_at = self._clock()
        wanted = [
            Wanted(_digest(place), quota.limit, quota.window_seconds, slice_of(quota.limit))
            for place, quota in places.items()
        ]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                leases = await quotas.lease(wanted)
            for place, lease in zip(places, leases, strict=True):
                LEASES.labels("granted" if lease.granted else "empty").inc()
                self._add(place, lease, asked_at)
        except (Unavailable, TimeoutError) as error:
            self._count_alone_from_now_on(error)
        except Exception:
            # a limit that is too generous does less harm than an API that answers nobody
            logger.exception("A bug in leasing from the store of limits")
            self._count_alone_from_now_on(None)

    def _count_alone_from_now_on(self, error: Exception | None) -> None:
        LEASES.labels("failed").inc()
        if not self._away:
            logger.warning("Limits are counted by this process alone: the store is away: %s", error)
        self._away = True
        AWAY.set(1)

    def _add(self, place: Key, lease: Lease, asked_at: float) -> None:
        part = self._slices.get(place)
        if part is None or part.window != lease.window:
            part = Slice(lease.window, left=0, unleased=0, ends_at=asked_at, used_at=asked_at)
            self._remember(place, part)
        # both are early; the later one is nearer to the truth
        part.ends_at = max(part.ends_at, asked_at + lease.expires_in)
        part.left += lease.granted
        part.unleased = lease.remaining
        part.shut_until = 0.0 if lease.granted else min(part.ends_at, self._clock() + ASK_AGAIN_SECONDS)

    def _remember(self, place: Key, part: Slice) -> None:
        self._slices.pop(place, None)
        if len(self._slices) >= MOST_SLICES:
            # the one that was begun first; its window ends first
            del self._slices[next(iter(self._slices))]
        self._slices[place] = part

    async def _keep_house(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            ticks += 1
            if self._quotas is None:
                self._drop_ended()
                continue
            try:
                if self._away:
                    await self._look_whether_it_is_back(self._quotas)
                elif ticks % round(IDLE_SECONDS / TICK_SECONDS) == 0:
                    self._drop_ended()
                    await self._give_back(idle_since=self._clock() - IDLE_SECONDS)
                if ticks % round(FORGET_SECONDS / TICK_SECONDS) == 0:
                    await self._quotas.forget_expired()
            except (Unavailable, TimeoutError):
                # what was to go back expires, and the next lease finds out how the store is
                logger.debug("The store of limits is away", exc_info=True)
            except Exception:
                # without this task nothing would go back and a store that was away would stay so for ever
                logger.exception("A bug in keeping the limits' house")

    async def _look_whether_it_is_back(self, quotas: Quotas) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await quotas.check()
        # what was counted alone is forgotten: the others know nothing of it
        self._slices = {place: part for place, part in self._slices.items() if part.window is not None}
        self._away = False
        AWAY.set(0)
        logger.info("Limits are shared again: the store is back")

    def _drop_ended(self) -> None:
        now = self._clock()
        self._slices = {place: part for place, part in self._slices.items() if part.ends_at > now}

    async def _give_back(self, idle_since: float) -> None:
        if self._quotas is None or self._away:
            return
        now = self._clock()
        unused = []
        for place, part in self._slices.items():
            if part.left and part.window is not None and part.used_at <= idle_since and now < part.ends_at:
                unused.append(Unused(_digest(place), part.window, part.left))
                # at once, so that nobody is admitted by what goes back; whether it arrives or not
                part.unleased += part.left
                part.left, part.shut_until = 0, 0.0
        if unused:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._quotas.give_back(unused)


def _standing(quota: Quota, part: Slice, now: float, admitted_by: Slice | None = None) -> Standing:
    return Standing(quota, part.left + part.unleased, math.ceil(part.ends_at - now), admitted_by)


def _limited(quota: Quota, seconds: float) -> Unavailable:
    detail = f"Too many requests: {quota.limit} are taken in {quota.window_seconds:g} s. Wait for Retry-After seconds."
    return Unavailable("rate_limited", detail, seconds)


def _digest(place: Key) -> str:
    """A name of fixed length, of whatever was in the key, that shows neither users nor addresses."""
    digest = blake2b(digest_size=16)
    for part in place:
        # a token may name its user by what is no proper text
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()
