"""Where work waits for a part that is away or full: a circuit breaker, with a clock and with those who wait."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

import prometheus_client

from mien_streams.breaker import Breaker, State, Ticket

logger = logging.getLogger(__name__)

OPEN = prometheus_client.Gauge("mien_breaker_open", "1 while a part is left alone, or asked by one only.", ["part"])
OPENINGS = prometheus_client.Counter(
    "mien_breaker_openings_total", "How often a part was found to be away or full, again included.", ["part"]
)


class Passage:
    """One request to the part. Say what came of it, once; saying nothing means that nobody waited for it."""

    def __init__(self, gate: "Gate", ticket: Ticket) -> None:
        self._gate = gate
        self._ticket = ticket

    @property
    def probe(self) -> bool:
        """Whether it is the only one, because the part is thought to be away."""
        return self._ticket.probe

    def answered(self) -> None:
        """The part did what it is for."""
        self._gate.breaker.answered(self._ticket)

    def refused(self, advice_seconds: float) -> None:
        """The part took nothing on, and advises to wait (0: it gives no advice)."""
        self._gate.breaker.refused(self._ticket, self._gate.now(), advice_seconds)

    def failed(self, advice_seconds: float) -> None:
        """The part did not answer as it should; the advice is as in refused."""
        self._gate.breaker.failed(self._ticket, self._gate.now(), advice_seconds)

    def abandoned(self) -> None:
        """Nobody waits for the answer any more."""
        self._gate.breaker.abandoned(self._ticket)


class Gate:
    """One for each part and process. Lives in one event loop.

    Args:
        part: what is behind it, in logs and metrics.
        now: a clock in seconds that never goes back.
    """

    def __init__(self, part: str, now: Callable[[], float] = time.monotonic) -> None:
        self.part = part
        self.now = now
        self.breaker = Breaker()
        self._waiting: deque[asyncio.Future[Ticket]] = deque()
        self._listeners: list[Callable[[], None]] = []
        self._closed = True
        self._openings = 0
        self._timer: asyncio.TimerHandle | None = None
        OPEN.labels(part).set(0)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener whenever passes may say something else than before."""
        self._listeners.append(listener)

    def passes(self, *, idle: bool) -> bool:
        """Tell whether more work should be begun that will ask the part.

        Args:
            idle: nobody works, so that there is nobody to be the probe.
        """
        now = self.now()
        return self.breaker.state(now) is State.CLOSED or (idle and self.breaker.wants_probe(now))

    @contextlib.asynccontextmanager
    async def passage(self) -> AsyncIterator[Passage]:
        """Wait until the part may be asked, as long as it takes; the block is the request."""
        passage = Passage(self, await self._admitted())
        try:
            yield passage
        finally:
            # of no effect if it was said already what came of it
            passage.abandoned()
            if not self._closed or self.breaker.openings > self._openings:
                self._tell()

    async def _admitted(self) -> Ticket:
        """Wait for a ticket, in the order of coming: whoever was refused is behind those who weren't asked yet."""
        ticket = None if self._waiting else self.breaker.admit(self.now())
        if ticket is not None:
            return ticket
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            # cancelled with the ticket in hand
            if turn.done() and not turn.cancelled():
                self.breaker.abandoned(turn.result())
                self._tell()
            raise

    def _tell(self) -> None:
        """Let in who may go, now and when the pause is over, and tell the listeners."""
        self._note()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pause = self.breaker.pause_left(self.now())
        if pause > 0:
            self._timer = asyncio.get_running_loop().call_later(pause, self._tell)
        self._let_in()
        for listener in self._listeners:
            listener()

    def _let_in(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                # it was cancelled
                self._waiting.popleft()
                continue
            ticket = self.breaker.admit(self.now())
            if ticket is None:
                return
            self._waiting.popleft().set_result(ticket)

    def _note(self) -> None:
        openings, closed = self.breaker.openings, self.breaker.state(self.now()) is State.CLOSED
        OPENINGS.labels(self.part).inc(openings - self._openings)
        self._openings = openings
        if closed == self._closed:
            return
        self._closed = closed
        OPEN.labels(self.part).set(not closed)
        if closed:
            logger.info("%s is back", self.part)
        else:
            logger.warning("%s is away or full, so nothing new is begun that needs it", self.part)
