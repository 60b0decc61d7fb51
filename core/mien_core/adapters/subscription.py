"""What every adapter's subscriptions are made of."""

import asyncio

from mien_core.ports.signals import Signalled

# Whoever doesn't look for so long is told that it missed something, instead of being kept a list that only grows.
MOST_TOPICS = 10_000


class EventSubscription:
    """A Subscription on an asyncio.Event: signals that come between two waits are kept as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def signal(self) -> None:
        """Wake the waiter, now or at its next wait."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the port's signature
        """See ports.signals.Subscription."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class EventChannelSubscription:
    """A ChannelSubscription on an asyncio.Event."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._topics: set[str] = set()
        self._missed = False

    def signal(self, topic: str) -> None:
        """Wake the waiter, now or at its next wait."""
        self._topics.add(topic)
        if len(self._topics) > MOST_TOPICS:
            self.miss()
        self._event.set()

    def miss(self) -> None:
        """Wake the waiter: nobody knows what was signalled."""
        self._topics.clear()
        self._missed = True
        self._event.set()

    async def wait(self, timeout: float) -> Signalled:  # noqa: ASYNC109 - the port's signature
        """See ports.signals.ChannelSubscription."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return Signalled()
        self._event.clear()
        signalled = Signalled(frozenset(self._topics), self._missed)
        self._topics.clear()
        self._missed = False
        return signalled
