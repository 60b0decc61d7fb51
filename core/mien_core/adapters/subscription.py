"""What every adapter's subscription is made of."""

import asyncio


class EventSubscription:
    """A Subscription on an asyncio.Event: signals that come between two waits are kept as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def signal(self) -> None:
        """Wake the waiter, now or at its next wait."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the port's signature
        """See ports.Subscription."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
