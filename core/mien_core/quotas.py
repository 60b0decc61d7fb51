"""What limiting needs from whatever the replicas share: allowances per window, leased in slices.

A port of its own and no table of the Database, because it need not be one: it holds nothing that outlives a window,
and asks for no transaction. A store that counts and expires keys is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many requests are asked for of the key's window, which has limit of them and lasts for window_seconds."""

    key: str
    limit: int
    window_seconds: float
    count: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A slice of a window's allowance.

    granted is how many requests may be admitted by it, remaining how many of the window nobody has leased. window
    names the window; expires_in is seconds until it ends, from the moment of the lease on.
    """

    granted: int
    remaining: int
    window: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class Unused:
    """What is left over of leases of this key in this window."""

    key: str
    window: str
    count: int


class Quotas(Protocol):
    """Allowances by key. Every method raises Unavailable (quotas_unavailable) when the store can't be reached."""

    async def lease(self, wanted: Sequence[Wanted]) -> list[Lease]:
        """Take what rules.quotas.granted says of what is wanted, atomically for each key; answer in the same order.

        Many at once, since a busy process would queue for its store otherwise; each key comes once among them. A
        window begins with its first lease; when its time is over, the next lease begins another one.
        """

    async def give_back(self, unused: Sequence[Unused]) -> None:
        """Have what was leased and not used be leased again; what belongs to a window that is over is no error."""

    async def forget_expired(self) -> None:
        """Drop what belongs to windows that are over, for stores that don't do so by themselves."""

    async def check(self) -> None:
        """Prove that the store can be reached."""
