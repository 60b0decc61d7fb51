"""The acknowledgement window."""

from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien_streams.window import AcknowledgementWindow

INTERLEAVINGS = 10_000


class Log:
    """Two partitions as a broker sees them: offsets with gaps, what was delivered, done and committed."""

    def __init__(self, gaps: list[int]) -> None:
        offsets = [sum(gaps[: index + 1]) for index in range(len(gaps))]
        self.offsets = {0: offsets[0::2], 1: offsets[1::2]}
        self.position = {0: 0, 1: 0}
        self.committed = {0: 0, 1: 0}
        self.done: defaultdict[int, set[int]] = defaultdict(set)
        self.running: list[tuple[int, int]] = []
        self.window: AcknowledgementWindow[int, int] = AcknowledgementWindow(concurrency=4, capacity=6)

    def deliver(self, partition: int) -> None:
        """Hand the next offset to the window, if there is one and the window has room."""
        index = self.position[partition]
        if self.window.full or index == len(self.offsets[partition]):
            return
        offset = self.offsets[partition][index]
        self.position[partition] += 1
        if self.window.started(partition, offset, offset):
            assert (partition, offset) not in self.running, "the same offset is worked on twice at once"
            self.running.append((partition, offset))

    def finish(self, choice: int) -> None:
        """End one of the running pieces of work and commit what the window releases."""
        partition, offset = self.running.pop(choice % len(self.running))
        self.done[partition].add(offset)
        for released in self.window.done(partition, offset):
            earlier = {each for each in self.offsets[partition] if each <= released}
            assert earlier <= self.done[partition], "an offset is committed before an earlier one is done"
            # what was wound back and done again is released again; a consumer ignores what it has committed
            self.committed[partition] = max(self.committed[partition], released + 1)

    def rebalance(self, partition: int) -> None:
        """Lose the partition and get it back: delivery goes on at what was committed."""
        self.window.revoked([partition])
        self.rewind(partition)

    def rewind(self, partition: int) -> None:
        """Deliver again from what was committed, without a revocation."""
        self.position[partition] = sum(offset < self.committed[partition] for offset in self.offsets[partition])

    def finish_all(self) -> None:
        """Deliver and end whatever is left."""
        while self.running or any(self.position[each] < len(self.offsets[each]) for each in self.offsets):
            before = (len(self.running), dict(self.position))
            self.deliver(0)
            self.deliver(1)
            if self.running:
                self.finish(0)
            assert before != (len(self.running), self.position), "nothing moves any more"


@settings(
    max_examples=INTERLEAVINGS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
@given(gaps=st.lists(st.sampled_from([1, 1, 1, 2, 7]), min_size=2, max_size=20), steps=st.binary(max_size=48))
def test_no_offset_is_committed_before_all_earlier_ones_are_done_and_every_one_is_in_the_end(
    gaps: list[int], steps: bytes
) -> None:
    """Whatever the order of deliveries, ends, rebalances and rewinds (10,000 of them), commits are exact."""
    log = Log(gaps)
    for step in steps:
        action, choice = step % 8, step // 8
        if action < 3:
            log.deliver(choice % 2)
        elif action < 6:
            if log.running:
                log.finish(choice)
        elif action == 6:
            log.rebalance(choice % 2)
        else:
            log.rewind(choice % 2)
    log.finish_all()
    for partition, offsets in log.offsets.items():
        if offsets:
            assert log.committed[partition] == offsets[-1] + 1, "an offset is never committed"
    assert log.window.running == 0
    assert log.window.held == 0


def test_a_later_one_waits_for_an_earlier_one() -> None:
    """What is done early is held, and released with the one that it waited for, in delivery order."""
    window: AcknowledgementWindow[str, str] = AcknowledgementWindow(concurrency=8, capacity=8)
    for offset in (3, 4, 9):
        window.started("p", offset, f"delivery {offset}")
    assert window.done("p", 9) == []
    assert window.done("p", 4) == []
    assert window.held == 3
    assert window.done("p", 3) == ["delivery 3", "delivery 4", "delivery 9"]
    assert window.held == 0


def test_partitions_do_not_wait_for_each_other() -> None:
    """A stuck delivery holds up its own partition only."""
    window: AcknowledgementWindow[str, int] = AcknowledgementWindow(concurrency=8, capacity=8)
    window.started("stuck", 1, 1)
    window.started("other", 1, 10)
    assert window.done("other", 1) == [10]


def test_it_is_bounded() -> None:
    """It is full at its concurrency, and at its capacity also when the held ones are done."""
    window: AcknowledgementWindow[str, int] = AcknowledgementWindow(concurrency=2, capacity=3)
    assert not window.full
    window.started("p", 1, 1)
    window.started("p", 2, 2)
    assert window.full
    window.done("p", 2)
    assert not window.full
    window.started("p", 3, 3)
    window.done("p", 3)
    window.started("p", 4, 4)
    window.done("p", 4)
    assert window.running == 1
    assert window.full


def test_what_comes_again_while_it_is_worked_on_is_not_begun_twice() -> None:
    """After a rebalance the repeated delivery takes over the running work, and it is the one acknowledged."""
    window: AcknowledgementWindow[str, str] = AcknowledgementWindow(concurrency=8, capacity=8)
    assert window.started("p", 5, "first")
    window.revoked(["p"])
    assert not window.started("p", 5, "again")
    assert window.done("p", 5) == ["again"]


def test_what_was_revoked_is_never_released() -> None:
    """A partition that is somebody else's now is not acknowledged from here."""
    window: AcknowledgementWindow[str, int] = AcknowledgementWindow(concurrency=8, capacity=8)
    window.started("p", 5, 5)
    window.revoked(["p"])
    assert window.done("p", 5) == []
    assert window.running == 0
