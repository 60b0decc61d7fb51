"""An agent on a real broker: what is committed is done, and what is not done comes again.

Run as a program, this file is the agent's process, to be killed.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mien_core.adapters.kafka import KafkaEventPublisher, ensure_topics
from mien_core.ports.messages import Record
from mien_core.settings import KafkaSettings
from mien_streams import agent as agent_module
from mien_streams.agent import SESSION_TIMEOUT_SECONDS, Agent, AgentCrashed, AgentOptions
from mien_streams.delivery import Delivery

pytestmark = pytest.mark.timeout(400)

PARTITIONS = 4
CONCURRENCY = 16
SLOW_FACTOR = 20
DEADLINE_SECONDS = 120.0
# a member that is gone would be missed after this, and whoever needn't wait for that is there long before
LONG_SESSION_SECONDS = 90.0
AT_ONCE_SECONDS = 60.0


class Journal:
    """A file with a line for each begin and each end: it survives kill -9."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def note(self, what: str, delivery: Delivery) -> None:
        """Add a line; one write, so that two processes don't mix theirs."""
        with self._path.open("ab", buffering=0) as file:
            file.write(f"{what} {delivery.partition} {delivery.offset}\n".encode())

    def places(self, what: str) -> Counter[tuple[int, int]]:
        """How often each place (partition, offset) has such a line."""
        lines = [line.split() for line in self._path.read_text().splitlines()]
        return Counter((int(partition), int(offset)) for kind, partition, offset in lines if kind == what)

    @property
    def in_flight(self) -> int:
        """How many have begun and not ended."""
        text = self._path.read_text()
        return text.count("began") - text.count("ended")


@dataclass
class Topic:
    """A topic of this test's own, and its agent's consumer group."""

    settings: KafkaSettings
    name: str

    @property
    def agent_name(self) -> str:
        """The agent's name, which makes its group's."""
        return f"agent-{self.name}"

    async def publish(self, count: int) -> None:
        """Put messages onto all of its partitions."""
        async with KafkaEventPublisher(self.settings) as publisher:
            await publisher.publish(self._records(count))

    @contextlib.asynccontextmanager
    async def fed(self) -> AsyncIterator[None]:
        """Put messages onto all of its partitions as long as the block lasts, at most 100 a second."""

        async def feed() -> None:
            async with KafkaEventPublisher(self.settings) as publisher:
                while True:
                    await publisher.publish(self._records(10))
                    await asyncio.sleep(0.1)

        feeding = asyncio.create_task(feed())
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})

    def _records(self, count: int) -> list[Record]:
        return [Record(self.name, str(index).encode(), b"{}", ()) for index in range(count)]

    async def offsets(self) -> tuple[dict[int, int], dict[int, int]]:
        """Give each partition's committed and end offset."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.brokers, group_id=f"mien-{self.agent_name}", enable_auto_commit=False
        )
        await consumer.start()
        try:
            places = [TopicPartition(self.name, partition) for partition in range(PARTITIONS)]
            ends = await consumer.end_offsets(places)
            # not through the consumer's own cache: that is what was committed when it was first asked
            committed = {place.partition: await consumer.committed(place) or 0 for place in places}
            return committed, {place.partition: end for place, end in ends.items()}
        finally:
            await consumer.stop()

    async def everything_committed(self) -> bool:
        """Tell whether each partition is committed to its end."""
        committed, ends = await self.offsets()
        return committed == ends

    def agent(
        self, journal: Journal, work_seconds: float, instance: str = "one", most_ended: int | None = None
    ) -> Agent:
        """An agent whose work is to wait; each fifth delivery takes so long that many commits go by meanwhile.

        Once the journal has most_ended ends, no work ends any more.
        """

        async def process(delivery: Delivery) -> None:
            journal.note("began", delivery)
            await asyncio.sleep(work_seconds * (SLOW_FACTOR if delivery.offset % 5 == 3 else 1))
            # no await between looking and noting, so that not one too many ends
            while most_ended is not None and journal.places("ended").total() >= most_ended:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)
            journal.note("ended", delivery)

        options = AgentOptions(instance, CONCURRENCY)
        return Agent(self.agent_name, self.name, process, self.settings, options)


@pytest.fixture
async def topic(kafka_server: str) -> Topic:
    """An empty topic."""
    settings = KafkaSettings(brokers=kafka_server, partitions=PARTITIONS)
    name = f"test-{uuid4().hex}"
    await ensure_topics(settings, [name])
    return Topic(settings, name)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(tmp_path / "journal")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - another process's state has no event to wait for
            await asyncio.sleep(0.02)


async def until_committed(topic: Topic) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await topic.everything_committed():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[None]:
    try:
        await agent.start()
        yield
    finally:
        await agent.stop()


class Process:
    """The agent in a process of its own."""

    def __init__(
        self,
        topic: Topic,
        journal: Path,
        work_seconds: float,
        instance: str = "one",
        *,
        most_ended: int | None = None,
        session_seconds: float = SESSION_TIMEOUT_SECONDS,
    ) -> None:
        values = [topic.settings.brokers, topic.name, str(journal), work_seconds, instance, most_ended, session_seconds]
        self._process = subprocess.Popen([sys.executable, __file__, json.dumps(values)])

    def kill(self) -> None:
        """End it as if the power failed."""
        self._process.kill()
        self._process.wait()

    async def told_to_stop(self) -> int:
        """Send SIGTERM; give the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, DEADLINE_SECONDS)

    async def ended(self) -> int:
        """Wait for its end; give the exit status."""
        return await asyncio.to_thread(self._process.wait, DEADLINE_SECONDS)

    @contextlib.contextmanager
    def surely_ended(self) -> Iterator["Process"]:
        """Leave nothing behind, also after a failed assertion."""
        try:
            yield self
        finally:
            self.kill()


def assert_only_done_is_committed(committed: dict[int, int], *journals: Journal) -> None:
    done = {place for journal in journals for place in journal.places("ended")}
    for partition, offset in committed.items():
        missing = {earlier for earlier in range(offset) if (partition, earlier) not in done}
        assert not missing, f"partition {partition} is committed to {offset}, but {missing} are not done"


async def test_nothing_is_lost_when_it_is_killed(topic: Topic, journal: Journal, tmp_path: Path) -> None:
    """Killed with 16 in flight, three times: everything is done at least once, and commits are exact."""
    await topic.publish(300)
    for kill in range(1, 4):
        with Process(topic, tmp_path / "journal", 0.05, most_ended=50 * kill).surely_ended():
            await until(lambda ended=50 * kill: journal.places("ended").total() == ended)  # type: ignore[misc]
            # what was under way at an earlier kill has not ended, either
            await until(lambda in_flight=kill * CONCURRENCY: journal.in_flight == in_flight)  # type: ignore[misc]
        committed, _ = await topic.offsets()
        assert_only_done_is_committed(committed, journal)
    with Process(topic, tmp_path / "journal", 0.01).surely_ended():
        await until_committed(topic)
    assert len(journal.places("ended")) == 300


async def test_a_restarted_process_has_its_partitions_at_once(topic: Topic, journal: Journal, tmp_path: Path) -> None:
    """Being a static member it needn't wait until the group noticed the death."""
    await topic.publish(100)
    with Process(topic, tmp_path / "journal", 0, most_ended=0, session_seconds=LONG_SESSION_SECONDS).surely_ended():
        await until(lambda: journal.in_flight == CONCURRENCY)
    began = asyncio.get_running_loop().time()
    with Process(topic, tmp_path / "journal", 0, session_seconds=LONG_SESSION_SECONDS).surely_ended():
        await until(lambda: journal.places("ended").total() >= 100)
    assert asyncio.get_running_loop().time() - began < AT_ONCE_SECONDS


async def test_a_polite_stop_repeats_nothing(topic: Topic, journal: Journal, tmp_path: Path) -> None:
    """SIGTERM: what is in flight ends and is committed; the next process goes on behind it, exit status 0."""
    await topic.publish(200)
    with Process(topic, tmp_path / "journal", 0.1).surely_ended() as process:
        await until(lambda: journal.places("ended").total() >= 40)
        assert await process.told_to_stop() == 0
    assert journal.in_flight == 0
    committed, _ = await topic.offsets()
    done = journal.places("ended")
    assert_only_done_is_committed(committed, journal)
    assert sum(committed.values()) == len(done)
    async with running(topic.agent(journal, 0.0)):
        await until_committed(topic)
    done = journal.places("ended")
    assert len(done) == 200
    assert set(done.values()) == {1}


async def test_work_moves_when_another_joins_and_leaves(topic: Topic, journal: Journal, tmp_path: Path) -> None:
    """A rebalance in the middle loses nothing and commits nothing early, and both take part."""
    theirs = Journal(tmp_path / "theirs")
    # faster than what comes, so that little is left to do however long it takes to start and to find together
    async with running(topic.agent(journal, 0.02)):
        async with topic.fed():
            await until(lambda: journal.places("ended").total() >= 50)
            with Process(topic, tmp_path / "theirs", 0.02, instance="two").surely_ended():
                await until(lambda: theirs.places("ended").total() >= 20)
                ours = journal.places("ended").total()
                await until(lambda: journal.places("ended").total() >= ours + 20)
                committed, _ = await topic.offsets()
                assert_only_done_is_committed(committed, journal, theirs)
        await until_committed(topic)
    committed, ends = await topic.offsets()
    assert committed == ends
    assert_only_done_is_committed(committed, journal, theirs)


async def test_a_bug_in_the_process_ends_it(topic: Topic) -> None:
    """Without an outcome nothing can be committed, so it doesn't idle: it crashes."""

    async def broken(_delivery: Delivery) -> None:
        raise ZeroDivisionError

    await topic.publish(1)
    agent = Agent(topic.agent_name, topic.name, broken, topic.settings, AgentOptions("one"))
    async with running(agent), asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(AgentCrashed, match="ZeroDivisionError"):
            await agent.watch()


async def test_two_of_the_same_instance_push_each_other_out(topic: Topic, journal: Journal, tmp_path: Path) -> None:
    """The older one ends with an exit status that isn't 0, instead of idling without partitions."""
    with Process(topic, tmp_path / "journal", 0.01).surely_ended() as older:
        await topic.publish(10)
        await until(lambda: journal.places("ended").total() == 10)
        async with running(topic.agent(journal, 0.01)):
            assert await older.ended() != 0
            await topic.publish(10)
            await until_committed(topic)


async def _run_as_program(arguments: str) -> None:
    brokers, topic, journal, work_seconds, instance, most_ended, session_seconds = json.loads(arguments)
    agent_module.SESSION_TIMEOUT_SECONDS = session_seconds
    # Faust wants it to be the longer one
    agent_module.REQUEST_TIMEOUT_SECONDS = session_seconds + 5
    settings = KafkaSettings(brokers=brokers, partitions=PARTITIONS)
    agent = Topic(settings, topic).agent(Journal(Path(journal)), work_seconds, instance, most_ended)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with running(agent):
        watching = asyncio.create_task(agent.watch())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({watching, told}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(_run_as_program(sys.argv[1]))
