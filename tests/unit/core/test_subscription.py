"""What is kept for whoever listens to a whole channel."""

from mien_core.adapters.subscription import MOST_TOPICS, EventChannelSubscription
from mien_core.ports.signals import Signalled


async def test_a_listener_that_does_not_look_is_told_that_it_missed_something() -> None:
    """What is kept for it is bounded; afterwards it hears of each topic again."""
    ear = EventChannelSubscription()
    for number in range(MOST_TOPICS):
        ear.signal(str(number))
    assert len((await ear.wait(5)).topics) == MOST_TOPICS
    for number in range(MOST_TOPICS + 1):
        ear.signal(str(number))
    assert await ear.wait(5) == Signalled(missed=True)
    ear.signal("job")
    ear.signal("job")
    assert await ear.wait(5) == Signalled(frozenset({"job"}))
    assert await ear.wait(0) == Signalled()
