"""The event publisher in memory: topics are lists."""

from collections.abc import Sequence

from mien_core.errors import Rejected, Unavailable
from mien_core.ports.messages import Record

MAX_BYTES = 1_048_576


class MemoryEventPublisher:
    """Meets ports.messages.EventPublisher; records is what was published, in order. available = False plays an outage.

    As Kafka does, it refuses a record whose key and value have more than MAX_BYTES, and one for a topic that is
    missing; else it has every topic.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.available = True
        self.missing: set[str] = set()

    async def publish(self, records: Sequence[Record]) -> None:
        """See ports.messages.EventPublisher."""
        if not self.available:
            raise Unavailable("broker_unavailable", "The memory broker was told to be away.")
        for record in records:
            if record.topic in self.missing or len(record.key) + len(record.value) > MAX_BYTES:
                raise Rejected("record_refused", "The memory broker doesn't take such a record.")
            self.records.append(record)
