"""What lies on the topics, and how much of it the consumer groups have committed."""

from collections import defaultdict
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from mien_core.errors import Rejected
from mien_core.events import FACTS, AnyFact, from_record
from mien_streams.handlers import analyse_face, s3_notifications

GROUPS = {f"mien-{analyse_face.NAME}": analyse_face.TOPIC, f"mien-{s3_notifications.NAME}": s3_notifications.TOPIC}

Fact = type[AnyFact]


class Topics:
    """Reads all events, from where it stopped the last time; event_ids is by fact and job."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._positions: dict[TopicPartition, int] = {}
        self.event_ids: defaultdict[tuple[Fact, str], set[str]] = defaultdict(set)

    async def read(self) -> None:
        """Read to the present end."""
        topics = [fact.topic for fact in FACTS]
        # without a topic of its own, a consumer doesn't ask the broker what partitions there are
        async with AIOKafkaConsumer(*topics, bootstrap_servers=self._brokers, group_id=None) as consumer:
            places = _partitions(consumer, topics)
            ends = await consumer.end_offsets(places)
            consumer.unsubscribe()
            behind = {place for place in places if self._positions.get(place, 0) < ends[place]}
            consumer.assign(sorted(behind))
            for place in behind:
                consumer.seek(place, self._positions.get(place, 0))
            while behind:
                batches = await consumer.getmany(*behind, timeout_ms=1000)
                for place, messages in batches.items():
                    for message in messages:
                        self._note(message.headers, message.value)
                    self._positions[place] = messages[-1].offset + 1
                behind = {place for place in behind if self._positions.get(place, 0) < ends[place]}

    async def lag(self) -> int:
        """How many messages of all groups are not committed."""
        topics = list(GROUPS.values())
        async with AIOKafkaConsumer(*topics, bootstrap_servers=self._brokers, group_id=None) as consumer:
            ends = await consumer.end_offsets(_partitions(consumer, topics))
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        await admin.start()
        try:
            lag = 0
            for group, topic in GROUPS.items():
                places = [place for place in ends if place.topic == topic]
                committed = await admin.list_consumer_group_offsets(group, partitions=places)
                # -1: nothing was ever committed; a place is left out while its broker begins to know it again
                done = {place: max(0, entry.offset) for place, entry in committed.items()}
                lag += sum(ends[place] - done.get(place, 0) for place in places)
            return lag
        finally:
            await admin.close()

    def _note(self, headers: Iterable[tuple[str, bytes]], value: bytes) -> None:
        try:
            event = from_record(headers, value)
        except Rejected:
            return
        self.event_ids[type(event.data), str(event.data.job_id)].add(str(event.id))


def _partitions(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic) or ()]
