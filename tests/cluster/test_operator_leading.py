"""Two operators: one works, the other takes over, and never both."""

import contextlib
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_operator.cluster.lease import Timing
from tests.operators import PATIENT, Place, Running, new_place, until

TAKEOVER_SECONDS = 20.0
ATTEMPTS = 3
USUAL = {name: str(value) for name, value in zip(PATIENT, (Timing().duration, Timing().deadline), strict=True)}


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A namespace that knows widgets."""
    with new_place(control_plane, cluster, tmp_path_factory.mktemp("place")) as place:
        yield place


def test_a_leader_that_falls_silent_is_replaced_and_does_nothing_more(place: Place) -> None:
    """A standby works within 20 s; who stood still finds out before its next step, and ends."""
    with contextlib.ExitStack() as stack:
        leader, standby = (stack.enter_context(place.operator(**USUAL)) for _ in range(2))
        until(lambda: leader.health() and standby.health(), "both run")
        until(lambda: leader.health()["leading"] != standby.health()["leading"], "one of them leads")
        if standby.health()["leading"]:
            leader, standby = standby, leader
        # a machine that stood still itself tells nothing; so one of several times is enough
        for number in range(ATTEMPTS):
            took = takeover(place, leader, standby, f"widget-{number}")
            assert leader.ended() == 1
            if took <= TAKEOVER_SECONDS:
                break
            leader, standby = standby, stack.enter_context(place.operator(**USUAL))
            until(standby.health, "another stands by")
        assert took <= TAKEOVER_SECONDS
    assert place.world.done_twice == []


def takeover(place: Place, leader: Running, standby: Running, name: str) -> float:
    """Let the leader stand still for longer than it may lead; give the seconds until the standby has made a widget."""
    leader.send(signal.SIGSTOP)
    silent = time.monotonic()
    place.create(name, size=2).raise_for_status()
    until(lambda: place.status(name).get("made") == 2, "the standby makes it")
    took = time.monotonic() - silent
    # the one that stood still would have something to do, too
    place.patch(name, {"spec": {"size": 3}}).raise_for_status()
    leader.send(signal.SIGCONT)
    until(lambda: place.status(name).get("made") == 3, "the change is seen")
    assert place.world.pieces(name) == {0, 1, 2}
    assert standby.health()["leading"]
    return took
