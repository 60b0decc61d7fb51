"""How many streams one process holds open, and for whom."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, Field

from mien_core.errors import Unavailable
from mien_core.model.platform import Caller

RETRY_SECONDS = 5.0


class StreamLimits(BaseModel):
    """How many event streams may be open in one process: of all, of one tenant, and of one client.

    per_user is for a user with a token, per_address for those of an address who come without a credential.
    """

    model_config = ConfigDict(frozen=True)

    per_process: int = Field(default=10_000, ge=1)
    per_tenant: int = Field(default=5_000, ge=1)
    per_user: int = Field(default=32, ge=1)
    per_address: int = Field(default=32, ge=1)


class StreamPlaces:
    """Counts who has a stream open. One a process."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._taken: Counter[tuple[str, ...]] = Counter()

    @contextmanager
    def taken(self, caller: Caller, address: str | None = None) -> Iterator[None]:
        """Have a place for as long as the block lasts.

        Args:
            caller: whose it is.
            address: where a caller without a credential comes from, since all of them are one tenant's; else None.

        Raises:
            Unavailable: streams_full, if this process has no place left; too_many_streams, if the caller hasn't.
        """
        limits: dict[tuple[str, ...], int] = {(): self._limits.per_process, (caller.tenant,): self._limits.per_tenant}
        if caller.user_id is not None:
            limits[caller.tenant, "user", caller.user_id] = self._limits.per_user
        if address is not None:
            limits[caller.tenant, "address", address] = self._limits.per_address
        for place, limit in limits.items():
            if self._taken[place] >= limit:
                raise _own_full() if place else _full()
        places = list(limits)
        self._taken.update(places)
        try:
            yield
        finally:
            self._taken.subtract(places)
            for place in places:
                # a process meets any number of users in its life
                if self._taken[place] == 0:
                    del self._taken[place]


def _full() -> Unavailable:
    detail = "Too many event streams are open here. Look at GET /jobs/{id}, or try again after Retry-After seconds."
    return Unavailable("streams_full", detail, RETRY_SECONDS)


def _own_full() -> Unavailable:
    detail = "You have too many event streams open. Close some, or look at GET /jobs/{id} now and then."
    return Unavailable("too_many_streams", detail, RETRY_SECONDS)
