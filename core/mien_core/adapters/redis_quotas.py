"""The Quotas port on Redis: one hash a key, which Redis drops by itself when its window is over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from mien_core.errors import Unavailable
from mien_core.quotas import Lease, Unused, Wanted
from mien_core.rules.quotas import LAST_PART
from mien_core.settings import RedisSettings

# The braces keep all keys in one slot of a Redis cluster, since one script leases many of them.
_PREFIX = "mien:{rate_limits}:"
_SECOND = 1_000_000

# Times are in microseconds of the server's clock, the only one that windows are compared with. What is granted is
# rules.quotas.granted. Numbers of such a size are exact in Lua, and "%.0f" writes them whole.
_LEASE = f"""
local clock = redis.call('TIME')
local now = clock[1] * {_SECOND} + clock[2]
local answer = {{}}
for index, key in ipairs(KEYS) do
    local limit = tonumber(ARGV[index * 3 - 2])
    local seconds = tonumber(ARGV[index * 3 - 1])
    local wanted = tonumber(ARGV[index * 3])
    local held = redis.call('HMGET', key, 'began_at', 'ends_at', 'used')
    local began_at, ends_at, used = tonumber(held[1]), tonumber(held[2]), tonumber(held[3])
    if not ends_at or ends_at <= now then
        began_at, ends_at, used = now, now + math.ceil(seconds * {_SECOND}), 0
    end
    local granted = math.min(wanted, math.ceil(math.max(0, limit - used) / {LAST_PART}))
    used = used + granted
    local window = string.format('%.0f', began_at)
    redis.call('HSET', key, 'began_at', window, 'ends_at', string.format('%.0f', ends_at), 'used', used)
    redis.call('PEXPIREAT', key, math.ceil(ends_at / 1000))
    answer[index] = {{granted, math.max(0, limit - used), window, ends_at - now}}
end
return answer
"""
_GIVE_BACK = """
for index, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'began_at', 'used')
    if held[1] == ARGV[index * 2 - 1] then
        redis.call('HSET', key, 'used', math.max(0, held[2] - ARGV[index * 2]))
    end
end
"""


class RedisQuotas:
    """Meets Quotas. Use it as an async context manager.

    Args:
        settings: where the server is; Redis 6 or newer, or what speaks its protocol and runs its scripts.
        patience: seconds to wait for the server.
    """

    def __init__(self, settings: RedisSettings, patience: float = 1.0) -> None:
        if settings.url is None:
            raise TypeError("RedisQuotas needs a URL.")
        self._redis: Redis = Redis.from_url(
            settings.url.get_secret_value(), socket_timeout=patience, socket_connect_timeout=patience
        )
        self._lease = self._redis.register_script(_LEASE)
        self._give_back = self._redis.register_script(_GIVE_BACK)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        """See Quotas."""
        arguments = [part for one in wanted for part in (one.limit, one.window_seconds, one.count)]
        async with _told():
            answers = await self._lease(keys=[_PREFIX + one.key for one in wanted], args=arguments)
        return [
            Lease(granted, remaining, window.decode(), microseconds / _SECOND)
            for granted, remaining, window, microseconds in answers
        ]

    async def give_back(self, unused: Sequence[Unused]) -> None:
        """See Quotas."""
        if not unused:
            return
        arguments = [part for one in unused for part in (one.window, one.count)]
        async with _told():
            await self._give_back(keys=[_PREFIX + one.key for one in unused], args=arguments)

    async def forget_expired(self) -> None:
        """See Quotas. Redis does it."""

    async def check(self) -> None:
        """See Quotas."""
        async with _told():
            await self._redis.ping()


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        # the error's own text may hold the URL, and that a password
        detail = f"The store of limits can't be reached: {type(error).__name__}."
        raise Unavailable("quotas_unavailable", detail) from error
