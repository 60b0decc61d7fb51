"""The circuit breaker: who may ask a part that was away or full."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mien_streams.breaker import FAILURES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker, State, Ticket

ROUNDING = 1e-6

seconds = st.floats(0.0, 5.0)
advices = st.one_of(st.just(0.0), st.floats(0.0, 30.0))


def opened(now: float = 0.0, advice: float = 0.0) -> Breaker:
    breaker = Breaker()
    breaker.refused(admitted(breaker, now), now, advice)
    return breaker


def admitted(breaker: Breaker, now: float = 0.0) -> Ticket:
    ticket = breaker.admit(now)
    assert ticket is not None
    return ticket


def test_one_refusal_opens_it() -> None:
    """Who is full, or not there, isn't asked again at once."""
    breaker = opened()
    assert breaker.state(0.0) is State.OPEN
    assert breaker.admit(FIRST_PAUSE_SECONDS / 2) is None


def test_failures_open_it_when_there_are_several_in_a_row() -> None:
    """One photo that can't be done is no outage; an answer in between begins the count anew."""
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(admitted(breaker), 0.0)
    breaker.answered(admitted(breaker))
    for failure in range(FAILURES):
        assert breaker.state(0.0) is State.CLOSED, failure
        breaker.failed(admitted(breaker), 0.0)
    assert breaker.state(0.0) is State.OPEN


def test_half_open_lets_one_probe_through() -> None:
    """Its answer closes the breaker for everybody."""
    breaker = opened()
    later = FIRST_PAUSE_SECONDS
    assert breaker.wants_probe(later)
    probe = admitted(breaker, later)
    assert breaker.state(later) is State.HALF_OPEN
    assert not breaker.wants_probe(later)
    assert breaker.admit(later + 100) is None
    breaker.answered(probe)
    assert breaker.state(later) is State.CLOSED
    assert breaker.admit(later) is not None
    assert breaker.admit(later) is not None


def test_one_failure_of_the_probe_opens_it_again() -> None:
    """It needs no row of them, and its pause is twice as long."""
    breaker = opened()
    breaker.failed(admitted(breaker, 1.0), 1.0)
    assert breaker.pause_left(1.0) == pytest.approx(2 * FIRST_PAUSE_SECONDS)


def test_a_probe_that_nobody_waits_for_makes_room_for_another() -> None:
    """A cancelled request must not keep the breaker half-open for ever."""
    breaker = opened()
    breaker.abandoned(admitted(breaker, 1.0))
    assert breaker.admit(1.0) is not None


def test_advice_is_heeded() -> None:
    """A part that asks for ten seconds has them; one that asks for less than the pause has the pause."""
    assert opened(advice=10.0).pause_left(0.0) == 10.0
    assert opened(advice=FIRST_PAUSE_SECONDS / 2).pause_left(0.0) == FIRST_PAUSE_SECONDS


class Machine(RuleBasedStateMachine):
    """Any sequence of requests, outcomes in any order, and time going by."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.breaker = Breaker()
        self.asking: list[Ticket] = []
        self.quiet_until = 0.0

    @rule(passed=seconds)
    def time_goes_by(self, passed: float) -> None:
        self.now += passed

    @rule()
    def somebody_wants_to_ask(self) -> None:
        state, wanted = self.breaker.state(self.now), self.breaker.wants_probe(self.now)
        ticket = self.breaker.admit(self.now)
        assert (ticket is not None) == (state is State.CLOSED or wanted)
        if ticket is not None:
            assert self.now >= self.quiet_until, "it was asked to wait"
            self.asking.append(ticket)

    @precondition(lambda self: self.asking)
    @rule(data=st.data(), advice=advices)
    def it_refuses(self, data: st.DataObject, advice: float) -> None:
        self._tell(data, advice, self.breaker.refused)

    @precondition(lambda self: self.asking)
    @rule(data=st.data(), advice=advices)
    def it_fails(self, data: st.DataObject, advice: float) -> None:
        self._tell(data, advice, self.breaker.failed)

    @precondition(lambda self: self.asking)
    @rule(data=st.data())
    def it_answers(self, data: st.DataObject) -> None:
        ticket = self._taken(data)
        before, current = self.breaker.state(self.now), ticket.era == self.breaker.openings
        self.breaker.answered(ticket)
        assert self.breaker.state(self.now) is (State.CLOSED if current else before)

    @precondition(lambda self: self.asking)
    @rule(data=st.data())
    def nobody_waits_any_more(self, data: st.DataObject) -> None:
        before = self.breaker.state(self.now)
        self.breaker.abandoned(self._taken(data))
        assert self.breaker.state(self.now) is before

    @invariant()
    def half_open_has_one_probe_at_most(self) -> None:
        if self.breaker.state(self.now) is not State.CLOSED:
            probes = [ticket for ticket in self.asking if ticket.era == self.breaker.openings]
            assert len(probes) <= 1
            assert self.breaker.state(self.now) is State.HALF_OPEN or not probes

    @invariant()
    def it_never_stays_open(self) -> None:
        """Somebody may ask once the pause is over, unless the probe is on its way: so recovery is always noticed."""
        longest = max(LONGEST_PAUSE_SECONDS, self.quiet_until - self.now)
        assert self.breaker.pause_left(self.now) <= longest + ROUNDING
        later = self.now + longest + ROUNDING
        probing = any(ticket.era == self.breaker.openings for ticket in self.asking)
        assert probing or self.breaker.state(later) is State.CLOSED or self.breaker.wants_probe(later)

    def _taken(self, data: st.DataObject) -> Ticket:
        return self.asking.pop(data.draw(st.integers(0, len(self.asking) - 1)))

    def _tell(self, data: st.DataObject, advice: float, tell: Callable[[Ticket, float, float], None]) -> None:
        ticket, openings = self._taken(data), self.breaker.openings
        tell(ticket, self.now, advice)
        if self.breaker.openings > openings:
            assert ticket.era == openings, "what began before an opening opened it again"
            self.quiet_until = self.now + advice


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=50, stateful_step_count=30)
