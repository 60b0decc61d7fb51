"""LISTEN: one direct connection a process hears every signal and wakes whoever subscribed to its topic."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator

import psycopg

from mien_core.adapters.subscription import EventChannelSubscription, EventSubscription
from mien_core.ports.signals import Channel, ChannelSubscription, Subscription

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0


class Signals:
    """The process's ear. The connection is opened at the first subscription and mended when it breaks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._subscriptions: defaultdict[tuple[str, str], set[EventSubscription]] = defaultdict(set)
        self._of_channels: defaultdict[str, set[EventChannelSubscription]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @contextlib.asynccontextmanager
    async def subscribe(self, channel: Channel, topic: str) -> AsyncIterator[Subscription]:
        """See ports.database.Database.subscribe."""
        await self._listens()
        subscription = EventSubscription()
        key = (channel.value, topic)
        self._subscriptions[key].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[key].discard(subscription)
            if not self._subscriptions[key]:
                del self._subscriptions[key]

    @contextlib.asynccontextmanager
    async def subscribe_all(self, channel: Channel) -> AsyncIterator[ChannelSubscription]:
        """See ports.database.Database.subscribe_all."""
        await self._listens()
        subscription = EventChannelSubscription()
        self._of_channels[channel.value].add(subscription)
        try:
            yield subscription
        finally:
            self._of_channels[channel.value].discard(subscription)

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
            self._listener = None
            self._listening.clear()

    async def _listens(self) -> None:
        """Begin to listen, and wait until the server knows.

        Without that, a signal between "subscribed" and LISTEN would be lost and cost the waiter a poll. If the database
        is away the wait is given up: the poll is what the port's users have for that.
        """
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="postgres-listen")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT_SECONDS):
                await self._listening.wait()

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                    for channel in Channel:
                        await connection.execute(f"LISTEN {channel.value}")
                    self._listening.set()
                    # whatever was signalled while nobody listened is unknown, so everyone reads again
                    self._wake_all()
                    async for notification in connection.notifies():
                        self._wake(notification.channel, notification.payload)
            except psycopg.Error as error:
                logger.warning("The LISTEN connection broke (%s); waiters poll until it is back.", type(error).__name__)
            self._listening.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _wake(self, channel: str, topic: str) -> None:
        for subscription in self._subscriptions.get((channel, topic), ()):
            subscription.signal()
        for of_channel in self._of_channels.get(channel, ()):
            of_channel.signal(topic)

    def _wake_all(self) -> None:
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.signal()
        for of_channels in self._of_channels.values():
            for of_channel in of_channels:
                of_channel.miss()
