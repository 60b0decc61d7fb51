"""The shell around Faust: one app, one consumer group, one handler.

Faust fetches, knows the group's membership and commits; it never decides what is done. Its own acknowledgements
commit past messages that are still being worked on (faust-streaming issue 606), so here a message is acknowledged
only when our window releases it, and Event.ack does nothing.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import faust
import prometheus_client
from faust.app.base import BootStrategy
from faust.types import TP
from mode import CrashingSupervisor

from mien_core import faults
from mien_core.faults import Point, reached
from mien_core.settings import KafkaSettings
from mien_streams.delivery import Delivery
from mien_streams.gate import Gate
from mien_streams.window import AcknowledgementWindow

logger = logging.getLogger(__name__)

IN_FLIGHT = prometheus_client.Gauge("mien_deliveries_in_flight", "Deliveries being worked on.", ["handler"])
HELD = prometheus_client.Gauge("mien_deliveries_held", "Deliveries not acknowledged yet.", ["handler"])
PAUSED = prometheus_client.Gauge("mien_agent_paused", "1 while nothing new is begun, for want of a part.", ["handler"])

# finished deliveries that may wait for a slow one before them; beyond it the partitions pause
HELD_PER_SLOT = 16
COMMIT_INTERVAL_SECONDS = 0.25
# how long a dead process keeps its partitions if it doesn't come back; brokers allow 6 s and more
SESSION_TIMEOUT_SECONDS = 10.0
HEARTBEAT_SECONDS = 2.0
REQUEST_TIMEOUT_SECONDS = 15.0
# after this long without progress Faust logs an error every half second, and does nothing else
SILENCE_SECONDS = 3600.0
# Who takes nothing new for so long leaves the group by itself, although it lives and heartbeats; 1,000 s if not set.
# Faust's own pausing of partitions would make no difference: it stops asking for messages, too.
LONGEST_PAUSE_SECONDS = 7 * 24 * 3600.0
WATCH_SECONDS = 0.25
# A member gets a new id when the group forgot it: after an outage once, but this often within this time only if
# another process keeps taking its place.
LOST_PLACES = 3
LOST_PLACES_SECONDS = 30.0
STOP_SECONDS = 10.0


class AgentCrashed(Exception):
    """Faust gave up; the process should end, so that whoever supervises it starts a new one."""


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How an agent behaves.

    instance is the static member id in its consumer group: whoever comes back under the same one, also after
    kill -9, has its partitions at once. Two at the same time push each other out.
    """

    instance: str
    concurrency: int = 16
    drain_seconds: float = 20.0


class _Event(faust.Event):
    """A Faust event that only the window can acknowledge."""

    def ack(self) -> bool:
        """Ignore Faust's own acknowledgements: it also makes them for messages that it skips."""
        return False

    def release(self) -> None:
        """Let Faust commit up to this event."""
        super().ack()


class _CommitFaults(faust.Sensor):
    """Faust's own places before and after a commit of offsets."""

    def on_commit_initiated(self, consumer: Any) -> None:  # noqa: ARG002 - Faust passes it
        """See faust.Sensor."""
        reached(Point.OFFSETS_COMMITTING)

    def on_commit_completed(self, consumer: Any, state: Any) -> None:  # noqa: ARG002 - Faust passes them
        """See faust.Sensor."""
        reached(Point.OFFSETS_COMMITTED)


class _BootStrategy(BootStrategy):
    """Starts what consuming needs: publishing goes through the outbox, and metrics are our own."""

    enable_kafka_producer = False
    enable_web = False
    enable_sensors = False


class _App(faust.App):
    """A Faust app without a producer, a web server or a data folder."""

    BootStrategy = _BootStrategy

    def _create_directories(self) -> None:
        """Write nothing to disk: there are no tables."""


class Agent:
    """A role that hands the messages of one topic to a worker, several at a time, and commits what is done.

    While one of the gates is closed it begins nothing new. Messages then stay where they are, its partitions stay
    its own, and what Faust has fetched already is bounded by the stream's buffer.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        process: Callable[[Delivery], Awaitable[None]],
        kafka: KafkaSettings,
        options: AgentOptions,
        *,
        gates: Sequence[Gate] = (),
    ) -> None:
        self.name = name
        self.group = f"mien-{name}"
        self._topic = topic
        self._process = process
        self._kafka = kafka
        self._options = options
        self._window: AcknowledgementWindow[TP, _Event] = AcknowledgementWindow(
            options.concurrency, options.concurrency * HELD_PER_SLOT
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._gates = gates
        self._room = asyncio.Event()
        for gate in gates:
            gate.listen(self._on_gate)
        self._member_id: str | None = None
        self._places_lost: deque[float] = deque(maxlen=LOST_PLACES)
        self._draining = False
        self._broken: BaseException | None = None
        self._app: _App | None = None

    async def start(self) -> None:
        """Join the consumer group; return once the partitions are assigned and messages flow.

        Raises:
            AgentCrashed: Faust could not start.
        """
        self._app = app = self._built()
        starting = asyncio.create_task(app.start(), name=f"{self.name}-start")
        try:
            # a crash in Faust's consumer thread doesn't always end app.start()
            while not starting.done():
                await asyncio.wait({starting}, timeout=WATCH_SECONDS)
                if app.crashed:
                    break
            if starting.done():
                await starting
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise AgentCrashed(f"The agent {self.name} could not start: {error!r}") from error
        finally:
            if not starting.done():
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
        self._check()

    async def watch(self) -> None:
        """Stay as long as the agent works.

        Raises:
            AgentCrashed: Faust crashed; by itself it would idle forever.
        """
        while True:
            self._check()
            await asyncio.sleep(WATCH_SECONDS)

    async def stop(self) -> None:
        """Take nothing new, let what is in flight end within drain_seconds, commit, and leave."""
        self._draining = True
        self._room.set()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=self._options.drain_seconds)
            for task in unfinished:
                task.cancel()
            if unfinished:
                logger.warning("%s stops with %d deliveries unfinished; they come again", self.name, len(unfinished))
                await asyncio.wait(unfinished)
        if self._app is not None:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    # commits what was released
                    await self._app.stop()
            except TimeoutError:
                logger.warning("%s: Faust did not stop within %s s", self.name, STOP_SECONDS)

    def _built(self) -> _App:
        app = _App(
            id=self.group,
            broker=[f"kafka://{server}" for server in self._kafka.servers],
            Event=_Event,
            autodiscover=False,
            store="memory://",
            key_serializer="raw",
            value_serializer="raw",
            topic_allow_declare=False,
            topic_disable_leader=True,
            broker_client_id=f"mien-{self.name}-{self._options.instance}",
            broker_commit_interval=COMMIT_INTERVAL_SECONDS,
            broker_commit_livelock_soft_timeout=SILENCE_SECONDS,
            broker_session_timeout=SESSION_TIMEOUT_SECONDS,
            broker_heartbeat_interval=HEARTBEAT_SECONDS,
            broker_request_timeout=REQUEST_TIMEOUT_SECONDS,
            broker_max_poll_interval=LONGEST_PAUSE_SECONDS,
            consumer_group_instance_id=f"{self.name}-{self._options.instance}",
            consumer_auto_offset_reset="earliest",
            # on a rebalance Faust must not wait for deliveries in flight: the window drops what is revoked
            stream_wait_empty=False,
            stream_buffer_maxsize=self._options.concurrency * HELD_PER_SLOT,
            stream_processing_timeout=SILENCE_SECONDS,
        )
        if faults.are_armed():
            app.sensors.add(_CommitFaults())
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_partitions_assigned.connect(self._on_assigned)
        channel = app.topic(self._topic, key_type=bytes, value_type=bytes, allow_empty=True)
        # an error in _consume itself is a bug of ours: crash instead of restarting it 100 times a second
        app.agent(channel, name=self.name, supervisor_strategy=CrashingSupervisor)(self._consume)
        return app

    async def _consume(self, stream: Any) -> None:
        events: AsyncIterable[_Event] = stream.noack().events()
        async for event in events:
            await self._may_begin()
            self._accept(event)

    async def _may_begin(self) -> None:
        """Wait until there is room for one more, and nothing that it needs is known to be away."""
        while not self._draining and (self._window.full or not self._passes(idle=self._window.running == 0)):
            self._room.clear()
            await self._room.wait()

    def _passes(self, *, idle: bool) -> bool:
        return all(gate.passes(idle=idle) for gate in self._gates)

    def _on_gate(self) -> None:
        PAUSED.labels(self.name).set(not self._passes(idle=False))
        self._room.set()

    def _accept(self, event: _Event) -> None:
        """Take an event over; no await in here, so that no rebalance comes in between."""
        if self._draining or not self._current(event):
            return
        message = event.message
        if self._window.started(message.tp, message.offset, event):
            task = asyncio.create_task(self._work(_delivery(event), message.tp), name=f"{self.name}-{message.offset}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        self._measure()

    async def _work(self, delivery: Delivery, partition: TP) -> None:
        reached(Point.DELIVERY_TAKEN)
        await self._process(delivery)
        reached(Point.DELIVERY_DONE)
        for event in self._window.done(partition, delivery.offset):
            if self._current(event):
                event.release()
                reached(Point.DELIVERY_RELEASED)
        self._measure()
        self._room.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # the process that was handed in promised an outcome; without one nothing after it could be committed
            self._broken = task.exception()

    def _current(self, event: _Event) -> bool:
        """Tell whether the event's partition is still ours as far as this process knows."""
        app = self._app
        return app is not None and not app.rebalancing and event.message.generation_id == app.consumer_generation_id

    async def _on_revoked(self, _app: Any, /, *revoked: Any, signal: Any, **_: Any) -> None:  # noqa: ARG002 - by name
        self._window.revoked(revoked[0])
        self._measure()
        self._room.set()

    async def _on_assigned(self, app: Any, /, *_assigned: Any, signal: Any, **_: Any) -> None:  # noqa: ARG002 - by name
        # aiokafka doesn't tell a static member that another one has its instance id: both lose their place to each
        # other in turn, for ever. All there is to see is the member id, and only in here.
        member_id = app.consumer._thread._consumer._coordinator.member_id  # noqa: SLF001 - nothing public has it
        if self._member_id is not None and member_id != self._member_id:
            self._places_lost.append(time.monotonic())
        self._member_id = member_id

    def _check(self) -> None:
        lost = self._places_lost
        if len(lost) == LOST_PLACES and lost[-1] - lost[0] < LOST_PLACES_SECONDS:
            raise AgentCrashed(
                f"Another process runs {self.name} as the instance {self._options.instance}. "
                "Give each its own MIEN_STREAMS__INSTANCE."
            )
        app = self._app
        if self._broken is not None:
            raise AgentCrashed(f"The agent {self.name} has a bug: {self._broken!r}") from self._broken
        if app is not None and app.crashed:
            raise AgentCrashed(f"Faust crashed in the agent {self.name}: {app.crash_reason!r}") from app.crash_reason

    def _measure(self) -> None:
        IN_FLIGHT.labels(self.name).set(self._window.running)
        HELD.labels(self.name).set(self._window.held)


def _delivery(event: _Event) -> Delivery:
    message = event.message
    # as aiokafka has them, pairs; Faust's own type would allow a mapping
    headers = cast("list[tuple[str, bytes | None]]", message.headers or [])
    return Delivery(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key or b"",
        headers=tuple((name, value or b"") for name, value in headers),
        value=message.value or b"",
        published_at=datetime.fromtimestamp(message.timestamp or 0.0, UTC),
        consumed_at=datetime.now(UTC),
    )
