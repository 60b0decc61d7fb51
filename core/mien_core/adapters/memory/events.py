"""The event publisher in memory: topics are lists."""

from collections.abc import Sequence

from mien_core.errors import Unavailable
from mien_core.ports import Record


class MemoryEventPublisher:
    """Meets ports.EventPublisher; records holds what was published, in order. available = False plays an outage."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.available = True

    async def publish(self, records: Sequence[Record]) -> None:
        """See ports.EventPublisher."""
        if not self.available:
            raise Unavailable("broker_unavailable", "The memory broker was told to be away.")
        self.records.extend(records)
