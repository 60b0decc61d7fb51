"""What a consumer group has not committed yet, asked of Kafka: it knows also where the consumer is stuck or gone."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from mien_core.errors import Unavailable
from mien_core.settings import KafkaSettings

# for one look as a whole, connecting included
LOOK_SECONDS = 10.0
CLOSE_SECONDS = 2.0
# of the first records only the times matter; a broker sends a whole batch all the same, whatever its size
FETCH_BYTES = 1


class KafkaLag:
    """Looks from outside at one group and topic; joins nothing and commits nothing. An async context manager.

    It connects at the first look, and anew at the next one after a failure.
    """

    def __init__(self, settings: KafkaSettings, group: str, topic: str) -> None:
        self._settings = settings
        self._group = group
        self._topic = topic
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._known: dict[TopicPartition, tuple[int, datetime]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def first_uncommitted(self) -> Mapping[int, datetime]:
        """When the first uncommitted record of each partition was written to it; a partition without any is left out.

        Raises:
            Unavailable: broker_unavailable.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._look()
        except (KafkaError, TimeoutError, OSError) as error:
            await self._close()
            raise Unavailable(
                "broker_unavailable",
                f"Kafka doesn't say what {self._group} has not committed ({type(error).__name__}).",
            ) from error
        except asyncio.CancelledError:
            await self._close()
            raise

    async def _look(self) -> dict[int, datetime]:
        admin, reader = await self._connected()
        [described] = await admin.describe_topics([self._topic])
        partitions = [TopicPartition(self._topic, found["partition"]) for found in described["partitions"]]
        committed = await admin.list_consumer_group_offsets(self._group)
        ends = await reader.end_offsets(partitions)
        beginnings = await reader.beginning_offsets(partitions)
        first = {}
        for place in partitions:
            # what is too old to be kept is gone, committed or not; who never committed begins at the beginning
            at = max(committed[place].offset if place in committed else 0, beginnings[place])
            if at < ends[place]:
                first[place] = at
        unknown = {place: at for place, at in first.items() if self._known.get(place, (-1,))[0] != at}
        written = await self._written(reader, unknown)
        self._known = {place: (at, written.get(place) or self._known[place][1]) for place, at in first.items()}
        return {place.partition: when for place, (_, when) in self._known.items()}

    async def _written(
        self, reader: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, datetime]:
        """Read when the records at these offsets were written."""
        found: dict[TopicPartition, datetime] = {}
        if not offsets:
            return found
        reader.assign(list(offsets))
        for place, offset in offsets.items():
            reader.seek(place, offset)
        while len(found) < len(offsets):
            missing = [place for place in offsets if place not in found]
            for place, records in (await reader.getmany(*missing, timeout_ms=1000)).items():
                found[place] = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
        reader.unsubscribe()
        return found

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._admin is None or self._reader is None:
            servers = self._settings.servers
            self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)
            self._reader = AIOKafkaConsumer(
                bootstrap_servers=servers,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await self._admin.start()
            await self._reader.start()
        return self._admin, self._reader

    async def _close(self) -> None:
        admin, reader, self._admin, self._reader = self._admin, self._reader, None, None
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if admin is not None:
                    await admin.close()
                if reader is not None:
                    await reader.stop()
