"""The acknowledgement window: what may be acknowledged when deliveries are worked on at the same time.

Kafka knows one number a partition: everything below it is done. So a delivery may be acknowledged only once all
earlier ones of its partition are done as well, and until then the window holds it. Pure: it knows neither Kafka
nor Faust.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Partition = TypeVar("Partition", bound=Hashable)
Delivery = TypeVar("Delivery")


@dataclass
class _Line(Generic[Delivery]):
    """One partition's deliveries in the order in which they came (a dict keeps it), and which of them are done."""

    held: dict[int, Delivery] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    last: int = -1


class AcknowledgementWindow(Generic[Partition, Delivery]):
    """Deliveries that are not acknowledged yet, in delivery order.

    Offsets grow within a partition but may have gaps (compaction, transactions). After a rebalance Kafka delivers
    again what was not committed; work that is still running for such an offset is recognised and not begun twice.

    Args:
        concurrency: how many deliveries may be worked on at once.
        capacity: how many may be held at once, the finished ones that wait for an earlier one included.
    """

    def __init__(self, concurrency: int, capacity: int) -> None:
        self._concurrency = concurrency
        self._capacity = capacity
        self._lines: dict[Partition, _Line[Delivery]] = {}
        self._running: set[tuple[Partition, int]] = set()

    @property
    def running(self) -> int:
        """How many deliveries are being worked on."""
        return len(self._running)

    @property
    def held(self) -> int:
        """How many deliveries are not acknowledged yet."""
        return sum(len(line.held) for line in self._lines.values())

    @property
    def full(self) -> bool:
        """Tell whether the next delivery has to wait."""
        return self.running >= self._concurrency or self.held >= self._capacity

    def started(self, partition: Partition, offset: int, delivery: Delivery) -> bool:
        """Note a delivery; True asks the caller to work on it, False means that somebody does or did already."""
        line = self._lines.setdefault(partition, _Line())
        if offset in line.held:
            # the later delivery is the one that the broker waits for
            line.held[offset] = delivery
            return False
        if offset <= line.last:
            # the partition was wound back: what follows will be delivered again, in order
            line = self._lines[partition] = _Line()
        line.held[offset] = delivery
        line.last = offset
        if (partition, offset) in self._running:
            return False
        self._running.add((partition, offset))
        return True

    def done(self, partition: Partition, offset: int) -> list[Delivery]:
        """Note that the work on an offset has its outcome; give what may be acknowledged now, in order."""
        self._running.discard((partition, offset))
        line = self._lines.get(partition)
        if line is None or offset not in line.held:
            return []
        line.done.add(offset)
        released = []
        for held in list(line.held):
            if held not in line.done:
                break
            line.done.remove(held)
            released.append(line.held.pop(held))
        return released

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Forget deliveries of partitions that are somebody else's now: they must not be acknowledged from here."""
        for partition in partitions:
            self._lines.pop(partition, None)
