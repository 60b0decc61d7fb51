"""Whether more work is taken, or whoever brings it is told to come back later."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# what nobody knows better how long it lasts
USUAL_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 60.0
# who is sent away comes back when there is room for this part of the limit, not for one job that others take first
ROOM = 0.1
# how much the newest reading counts in the drain rate
NEWEST = 0.3


class Limits(BaseModel):
    """How much may wait before an ingress takes no more work.

    open_jobs is per kind of job, over all processes: as many as are done well within a job's deadline. outbox_seconds
    is how long the oldest due record may wait for its publication, database_seconds how long a small unit of work may
    take, the wait for a connection included. requests and photos are held by one process: requests that bring work,
    and those of them that have a photo in memory.
    """

    model_config = ConfigDict(frozen=True)

    open_jobs: int = Field(default=5000, ge=1)
    outbox_seconds: float = Field(default=60.0, gt=0)
    database_seconds: float = Field(default=2.0, gt=0)
    requests: int = Field(default=1000, ge=1)
    photos: int = Field(default=64, ge=1)


@dataclass(frozen=True, slots=True)
class Load:
    """What waits at the moment, in the units of Limits."""

    open_jobs: int = 0
    outbox_seconds: float = 0.0
    database_seconds: float = 0.0
    requests: int = 0
    photos: int = 0


class Cause(StrEnum):
    """Why no more work is taken."""

    OPEN_JOBS = "open_jobs"
    OUTBOX = "outbox"
    DATABASE = "database"
    REQUESTS = "requests"
    PHOTOS = "photos"


def overload(load: Load, limits: Limits) -> Cause | None:
    """Say why one more request that brings work must not be taken; None if it may. The first of Cause's order counts.

    A limit itself is reached, never passed: it is the number of things that may be there.
    """
    reached = {
        Cause.OPEN_JOBS: load.open_jobs >= limits.open_jobs,
        Cause.OUTBOX: load.outbox_seconds > limits.outbox_seconds,
        Cause.DATABASE: load.database_seconds > limits.database_seconds,
        Cause.REQUESTS: load.requests >= limits.requests,
        Cause.PHOTOS: load.photos >= limits.photos,
    }
    return next((cause for cause, holds in reached.items() if holds), None)


def retry_after(cause: Cause, load: Load, limits: Limits, drain_rate: float | None) -> float:
    """Seconds after which there is probably room.

    Args:
        cause: why there is none.
        load: as overload had it.
        limits: as overload had them.
        drain_rate: jobs by which the open ones become fewer in a second while none is taken; None if not known.
    """
    if cause in {Cause.REQUESTS, Cause.PHOTOS}:
        return 1.0
    if cause is not Cause.OPEN_JOBS or drain_rate is None:
        return USUAL_RETRY_SECONDS
    excess = max(0.0, load.open_jobs - (1 - ROOM) * limits.open_jobs)
    # multiplied out, so that a rate of almost nothing overflows nothing
    if excess >= LONGEST_RETRY_SECONDS * drain_rate:
        return LONGEST_RETRY_SECONDS
    return max(1.0, excess / drain_rate)


class Drain:
    """How fast open jobs become fewer while nothing is taken. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self.rate: float | None = None

    def note(self, now: float, open_jobs: int, *, taken: bool) -> None:
        """Note how many are open.

        Args:
            now: the time.
            open_jobs: the number.
            taken: work was taken since the last note, so that the difference says nothing.
        """
        last, self._last = self._last, (now, open_jobs)
        if last is None or taken or now <= last[0]:
            return
        rate = max(0.0, (last[1] - open_jobs) / (now - last[0]))
        self.rate = rate if self.rate is None else NEWEST * rate + (1 - NEWEST) * self.rate
