"""A circuit breaker: whether a part that was away or full is asked again. Pure: whoever uses it says what time it is.

closed: everybody may ask. A refusal, or several failures in a row, open it: nobody may ask, for as long as the part
advises, or for a pause that doubles from opening to opening. Then it is half-open: one may ask, the probe. Its answer
closes the breaker, its refusal or failure opens it again.
"""

from dataclasses import dataclass
from enum import StrEnum

FIRST_PAUSE_SECONDS = 0.1
# without other advice a part that is back is noticed within this
LONGEST_PAUSE_SECONDS = 0.5
# one failure may be its request's own fault, and several at once a replica's that died
FAILURES = 5


class State(StrEnum):
    """Who may ask: everybody, nobody, one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to ask once. What came of it is told to the breaker, whose era tells it whether that still counts.

    probe is whether nobody else has it, because the breaker is half-open.
    """

    era: int
    probe: bool


class Breaker:
    """Counts what came of asking a part. Times are seconds of one clock that never goes back.

    What came of a request that began before the breaker last opened changes nothing: it says how the part was.
    """

    def __init__(self) -> None:
        self._era = 0
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._opened_until: float | None = None
        self._probing = False

    @property
    def openings(self) -> int:
        """How often it has opened."""
        return self._era

    def state(self, now: float) -> State:
        """Who may ask now."""
        if self._opened_until is None:
            return State.CLOSED
        return State.OPEN if now < self._opened_until else State.HALF_OPEN

    def pause_left(self, now: float) -> float:
        """Seconds until it is half-open; 0 if nobody need wait for that."""
        return 0.0 if self._opened_until is None else max(0.0, self._opened_until - now)

    def wants_probe(self, now: float) -> bool:
        """Tell whether it is half-open and nobody asks yet."""
        return self.state(now) is State.HALF_OPEN and not self._probing

    def admit(self, now: float) -> Ticket | None:
        """Let somebody ask, or not."""
        if self._opened_until is None:
            return Ticket(self._era, probe=False)
        if not self.wants_probe(now):
            return None
        self._probing = True
        return Ticket(self._era, probe=True)

    def answered(self, ticket: Ticket) -> None:
        """Note that the part did what it is for, whatever its answer says."""
        if ticket.era == self._era:
            self._failures = 0
            self._pause = FIRST_PAUSE_SECONDS
            self._opened_until = None
            self._probing = False

    def refused(self, ticket: Ticket, now: float, advice_seconds: float = 0.0) -> None:
        """Note that the part took nothing on: it is full, or nobody is there.

        Args:
            ticket: whose request it was.
            now: the time.
            advice_seconds: how long the part asks to be left alone.
        """
        if ticket.era == self._era:
            self._open(now, advice_seconds)

    def failed(self, ticket: Ticket, now: float, advice_seconds: float = 0.0) -> None:
        """Note that the part began, perhaps, and didn't answer as it should; the arguments are refused's."""
        if ticket.era != self._era:
            return
        self._failures += 1
        if self._probing or self._failures >= FAILURES:
            self._open(now, advice_seconds)

    def abandoned(self, ticket: Ticket) -> None:
        """Note that whoever asked no longer waits for an answer, so that another one may be the probe."""
        if ticket.era == self._era:
            self._probing = False

    def _open(self, now: float, advice_seconds: float) -> None:
        self._era += 1
        self._failures = 0
        self._probing = False
        self._opened_until = now + max(self._pause, advice_seconds)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
