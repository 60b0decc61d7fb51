"""Kafka by aiokafka: the way onto the topics, and the topics themselves."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from mien_core.errors import Rejected, Unavailable
from mien_core.faults import Point, reached
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings

# how long one batch may take, connecting included, before the broker counts as away
PUBLISH_TIMEOUT_SECONDS = 10.0
# how long one request may; shorter, so that the client itself gives a batch up and can then be closed
REQUEST_TIMEOUT_SECONDS = 5.0
CLOSE_TIMEOUT_SECONDS = 2.0
# how long a topic that was looked for in vain counts as missing, so that its next record needn't look as long
MISSING_SECONDS = 5.0

# what no repetition changes; that a topic is unknown does so only after the broker was asked for its topics
_REFUSALS = (InvalidTopicError, MessageSizeTooLargeError, RecordListTooLargeError)


class KafkaEventPublisher:
    """Meets ports.messages.EventPublisher: idempotent, acknowledged by all in-sync replicas. An async context manager.

    The connection is made at the first publication, so this can be built while the broker is away. After a failure
    the next publication connects anew: an idempotent producer that lost a batch refuses all further ones. A topic that
    isn't there is waited for REQUEST_TIMEOUT_SECONDS long, since it may be about to be created.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._missing: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def publish(self, records: Sequence[Record]) -> None:
        """See ports.messages.EventPublisher. Records of one key keep their order."""
        for record in records:
            if self._missing.get(record.topic, 0.0) > time.monotonic():
                raise _missing_topic(record.topic)
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                await self._publish(records)
        except Rejected:
            await self._close()
            raise
        except _REFUSALS as error:
            await self._close()
            raise _refused(f"{type(error).__name__}: {error.description}") from error
        except (KafkaError, TimeoutError, OSError) as error:
            await self._close()
            raise _unavailable(error) from error
        except asyncio.CancelledError:
            # whether the batch arrived is unknown, so this producer can't be used again
            await self._close()
            raise

    async def _publish(self, records: Sequence[Record]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                request_timeout_ms=int(REQUEST_TIMEOUT_SECONDS * 1000),
            )
            try:
                await producer.start()
            except BaseException:
                await _stopped(producer)
                raise
            self._producer = producer
        # a record in its batch is not acknowledged yet; awaiting each acknowledgement first would cost a round trip
        # a record
        acknowledgements = [await self._batched(self._producer, record) for record in records]
        reached(Point.RECORDS_SENT)
        await asyncio.gather(*acknowledgements)

    async def _batched(self, producer: AIOKafkaProducer, record: Record) -> asyncio.Future[object]:
        """Put a record into its batch; give its acknowledgement."""
        try:
            acknowledgement: asyncio.Future[object] = await producer.send(
                record.topic, key=record.key, value=record.value, headers=list(record.headers)
            )
        except UnknownTopicOrPartitionError:
            # said also where no broker could be asked
            if record.topic in (await producer.client.fetch_all_metadata()).topics():
                raise
            self._missing[record.topic] = time.monotonic() + MISSING_SECONDS
            raise _missing_topic(record.topic) from None
        return acknowledgement

    async def _close(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stopped(producer)


async def ensure_topics(settings: KafkaSettings, topics: Iterable[str]) -> list[str]:
    """Create the topics that don't exist yet and name them; existing ones stay as they are.

    Raises:
        Unavailable: broker_unavailable.
    """
    replicas = settings.replication_factor
    wanted = [
        NewTopic(
            name=topic,
            num_partitions=settings.partitions,
            replication_factor=replicas,
            topic_configs={
                "cleanup.policy": "delete",
                "retention.ms": str(settings.retention_hours * 3_600_000),
                # one replica may be away, and an acknowledged event still survives the loss of another
                "min.insync.replicas": str(max(1, replicas - 1)),
                # the broker's clock: it refuses a producer whose own is more than an hour ahead, for as long as it is
                "message.timestamp.type": "LogAppendTime",
            },
        )
        for topic in topics
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.servers)
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
            await admin.start()
            response = await admin.create_topics(wanted)
    except (KafkaError, TimeoutError, OSError) as error:
        raise _unavailable(error) from error
    finally:
        await _closed(admin)
    created = []
    for topic, code, *_ in response.topic_errors:
        if code == 0:
            created.append(topic)
            continue
        refusal = for_code(code)
        if refusal is not TopicAlreadyExistsError:
            raise Unavailable("broker_unavailable", f"Kafka refused to create the topic {topic}: {refusal.__name__}.")
    return created


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        "broker_unavailable",
        f"Kafka can't be reached or refused the records ({type(error).__name__}). Is MIEN_KAFKA__BROKERS right?",
    )


def _missing_topic(topic: str) -> Rejected:
    return _refused(f"there is no topic {topic}; create it and redrive the record")


def _refused(why: str) -> Rejected:
    return Rejected("record_refused", f"Kafka refuses a record, and will again: {why}.")


async def _stopped(producer: AIOKafkaProducer) -> None:
    """Stop a producer that may be half dead, without waiting for a broker that is away."""
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await producer.stop()
            return
    # stop() waits until every batch arrived or expired; given up there, it leaves the sending task and the
    # connections behind
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await producer._sender.close()  # noqa: SLF001 - the library has no public way to give a batch up
    await producer.client.close()


async def _closed(admin: AIOKafkaAdminClient) -> None:
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await admin.close()
