"""Everyone's turn comes, never twice at once, and what is asked for during a turn isn't lost."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mien_operator.schedule import Schedule

KEYS = st.sampled_from("abc")


def test_the_longest_waiting_comes_first() -> None:
    """Turns come in the order in which they are due."""
    schedule = Schedule[str]()
    for key, due in (("late", 3.0), ("first", 1.0), ("second", 2.0)):
        schedule.put(key, due)
    assert [schedule.take(2.5), schedule.take(2.5), schedule.take(2.5)] == ["first", "second", None]
    assert schedule.next_due() == 3.0


def test_an_earlier_time_counts() -> None:
    """A change comes before the look that was planned anyway; a later one puts nothing off."""
    schedule = Schedule[str]()
    schedule.put("a", 10.0)
    schedule.put("a", 1.0)
    schedule.put("a", 5.0)
    assert schedule.take(1.0) == "a"
    schedule.done("a")
    assert schedule.next_due() is None


def test_what_is_asked_for_during_a_turn_comes_after_it() -> None:
    """The turn may have looked before the change; nobody else takes it meanwhile."""
    schedule = Schedule[str]()
    schedule.put("a", 0.0)
    assert schedule.take(0.0) == "a"
    schedule.put("a", 1.0)
    assert schedule.take(2.0) is None
    schedule.done("a", 60.0)
    assert schedule.take(2.0) == "a"


def test_what_is_forgotten_during_its_turn_stays_forgotten() -> None:
    """A resource that is gone has no further turn."""
    schedule = Schedule[str]()
    schedule.put("a", 0.0)
    schedule.take(0.0)
    schedule.forget("a")
    schedule.done("a")
    assert schedule.take(100.0) is None


class Model(RuleBasedStateMachine):
    """The schedule beside the plainest one there is."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule[str]()
        self.due: dict[str, float] = {}
        self.busy: set[str] = set()
        self.now = 0.0

    @rule(key=KEYS, after=st.integers(0, 5))
    def put(self, key: str, after: int) -> None:
        self.schedule.put(key, self.now + after)
        self.due[key] = min(self.due.get(key, float("inf")), self.now + after)

    @rule()
    def take(self) -> None:
        free = [key for key, due in self.due.items() if due <= self.now and key not in self.busy]
        key = self.schedule.take(self.now)
        if not free:
            assert key is None
            return
        assert key in free
        assert self.due[key] == min(self.due[other] for other in free)
        del self.due[key]
        self.busy.add(key)

    @rule(key=KEYS, after=st.none() | st.integers(0, 5))
    def done(self, key: str, after: int | None) -> None:
        if key not in self.busy:
            return
        due = None if after is None else self.now + after
        self.schedule.done(key, due)
        self.busy.remove(key)
        if due is not None:
            self.due[key] = min(due, self.due.get(key, due))

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.schedule.forget(key)
        self.due.pop(key, None)

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def tells_when_to_look(self) -> None:
        free = [due for key, due in self.due.items() if key not in self.busy]
        assert self.schedule.next_due() == min(free, default=None)


TestModel = Model.TestCase
