"""Deleting objects so that no legal hold is written meanwhile: the transaction that asked is open until they are gone.

A row that is held is refused by the database itself. An object isn't, so whoever deletes some asks first, and has the
guard (ports.holds) until the last of them is gone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from mien_core.ports.database import Transaction

Key = TypeVar("Key")
Result = TypeVar("Result")

# Objects, or prefixes, that are being deleted at the same time.
AT_ONCE: Final = 16
# The server ends a transaction of which it hears nothing for ten seconds, and the guard with it.
CONFIRM_SECONDS: Final = 2.0


async def deleted(
    transaction: Transaction, delete: Callable[[Key], Coroutine[Any, Any, Result]], keys: Sequence[Key]
) -> list[Result]:
    """Delete what has these keys, some at a time, each time after the guard was confirmed; give what was said of each.

    Args:
        transaction: one that has the guard, and that has asked whether these may go.
        delete: deletes what has a key, or begins with it, or has one of some keys.
        keys: of what is to go.

    Raises:
        Unavailable: the store is away, or the guard is lost: nothing more is begun.
    """
    results: list[Result] = []
    for start in range(0, len(keys), AT_ONCE):
        await transaction.holds.confirm()
        tasks = [asyncio.create_task(delete(key)) for key in keys[start : start + AT_ONCE]]
        try:
            while (await asyncio.wait(tasks, timeout=CONFIRM_SECONDS))[1]:
                await transaction.holds.confirm()
            results += [task.result() for task in tasks]
        finally:
            # none goes on when the transaction has ended
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return results
