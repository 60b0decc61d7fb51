"""`python -m mien_streams` with a bug planted in it, as a program: the fault tests show that they would find it."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mien_core.adapters.kafka import KafkaEventPublisher
from mien_core.adapters.postgres.messages import PostgresInbox
from mien_core.model.platform import JobStatus
from mien_core.ports.messages import Record
from mien_streams.__main__ import main
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.window import AcknowledgementWindow

DROPPED_RECORD = 7


def acknowledge_before_commit() -> None:
    """A delivery is acknowledged when work on it begins."""
    process, under_way = Edge.process, set()

    async def begin(self: Edge, delivery: Delivery) -> None:
        task = asyncio.create_task(process(self, delivery))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    Edge.process = begin  # type: ignore[method-assign] # that is what planting means, here and below


def no_inbox() -> None:
    """The inbox takes every event for new and notes none."""

    async def add(*_: object) -> bool:
        return True

    async def has(*_: object) -> bool:
        return False

    PostgresInbox.add, PostgresInbox.has = add, has  # type: ignore[assignment, method-assign]


def no_memory() -> None:
    """No inbox, and nobody looks whether the job has ended: a repeat isn't recognised by anything."""
    no_inbox()
    JobStatus.ended = property(lambda _status: False)  # type: ignore[method-assign, assignment]


def highest_offset_commit() -> None:
    """What comes first is acknowledged with everything before it, done or not."""
    done = AcknowledgementWindow.done

    def release_all(self: AcknowledgementWindow[Any, Any], partition: Any, offset: int) -> list[Any]:
        line = self._lines.get(partition)
        if line is not None:
            line.done.update(earlier for earlier in line.held if earlier < offset)
        return done(self, partition, offset)

    AcknowledgementWindow.done = release_all  # type: ignore[method-assign]


def dropped_outbox_row() -> None:
    """One record never reaches the broker, and the outbox forgets it with the others."""
    publish = KafkaEventPublisher.publish
    seen = 0

    async def publish_others(self: KafkaEventPublisher, records: Sequence[Record]) -> None:
        nonlocal seen
        first, seen = seen, seen + len(records)
        await publish(self, [record for number, record in enumerate(records, first + 1) if number != DROPPED_RECORD])

    KafkaEventPublisher.publish = publish_others  # type: ignore[method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (acknowledge_before_commit, no_inbox, no_memory, highest_offset_commit, dropped_outbox_row)
}


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    main(sys.argv[2:])
