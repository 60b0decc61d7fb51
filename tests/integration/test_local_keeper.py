"""A running platform keeps its parts up: who ends is started again, or given up with all that explains it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mien_core.errors import MienError
from mien_local.home import Home
from mien_local.parts.part import Part, Stage
from mien_local.parts.services import Service
from mien_local.plan import Member, Plan
from mien_local.platform import Platform
from mien_local.ports import HOST
from mien_local.processes import Identity
from mien_local.restarts import Patience
from mien_local.state import PartState, PlatformState

IMPATIENT = Patience(limit=2, first_seconds=0.02, most_seconds=0.05, steady_seconds=3600.0)
# for who may be found gone a moment before the one that it lives on
PATIENT = Patience(limit=6, first_seconds=0.1, most_seconds=0.2, steady_seconds=3600.0)

# Serves until it is killed; ends at once, saying why, where `broken` exists.
SERVER = """
import http.server, pathlib, sys
if pathlib.Path({broken!r}).exists():
    print("the disk is full", flush=True)
    sys.exit(3)
http.server.test(http.server.SimpleHTTPRequestHandler, port={port}, bind="127.0.0.1")
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    home = Home(tmp_path / "home")
    home.prepare()
    return Stage(home)


def server(stage: Stage, name: str) -> Service:
    port = stage.home.port(name)
    code = SERVER.format(broken=str(broken(stage, name)), port=port)
    return Service(stage, name, ["-c", code], {}, f"http://{HOST}:{port}/")


def broken(stage: Stage, name: str) -> Path:
    return stage.home.root / f"{name}.broken"


class Lodger(Part):
    """Runs on another part and is lost with it, as Serve's applications are with Ray."""

    name = "lodger"

    def __init__(self, stage: Stage, host: Service) -> None:
        super().__init__(stage)
        self._host = host
        self._on: Identity | None = None

    def start(self) -> None:
        assert self._host.is_alive(), "it was put onto nothing"
        self._on = Identity.read(self.stage.home.run / f"{self._host.name}.json")

    def is_alive(self) -> bool:
        return self._on is not None and self._on.is_alive()


@contextmanager
def watched(
    stage: Stage, *members: Member, heard: list[PartState] | None = None, patience: Patience = IMPATIENT
) -> Iterator[list[MienError]]:
    """A platform that is ready and being watched; the value holds what watch() raised."""
    told = (heard if heard is not None else []).append
    platform = Platform(stage.home, Plan(members, {}, {}), stage.cancelled, told, patience)
    raised: list[MienError] = []

    def watch() -> None:
        try:
            platform.watch()
        except MienError as error:
            raised.append(error)

    watcher = threading.Thread(target=watch)
    try:
        platform.start()
        watcher.start()
        yield raised
    finally:
        stage.cancelled.set()
        watcher.join()
        platform.stop()


def identity(stage: Stage, name: str) -> Identity:
    found = Identity.read(stage.home.run / f"{name}.json")
    assert found is not None
    return found


def kill(stage: Stage, name: str) -> Identity:
    killed = identity(stage, name)
    psutil.Process(killed.pid).kill()
    return killed


def state(stage: Stage, name: str) -> PartState:
    platform = PlatformState.read(stage.home)
    assert platform is not None
    return next(part for part in platform.parts if part.name == name)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    ticks = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        ticks.wait(0.02)
    pytest.fail(f"after {seconds} s still not: {what}")


def test_a_killed_part_comes_back_and_the_state_tells(stage: Stage) -> None:
    """Another process at the same address; how often and how it ended is there to be read; the others go on."""
    heard: list[PartState] = []
    with watched(stage, Member(server(stage, "a")), Member(server(stage, "b")), heard=heard):
        untouched = identity(stage, "b")
        killed = kill(stage, "a")
        wait_for(lambda: state(stage, "a").restarts == 1, "a is back")
        # they are told after it was written
        wait_for(lambda: [each.phase for each in heard if each.name == "a"][-1] == "ready", "everybody has heard")
        now = state(stage, "a")
        assert now.phase == "ready"
        assert "SIGKILL" in now.last_exit
        assert identity(stage, "a") != killed
        assert identity(stage, "b") == untouched
        phases = [each.phase for each in heard if each.name == "a"]
        assert phases[-2:] == ["restarting", "ready"]
        assert any("SIGKILL" in each.note and "again" in each.note for each in heard)
    assert not list(stage.home.run.glob("[ab].json"))


def test_a_part_that_ends_again_and_again_is_given_up_and_the_others_go_on(stage: Stage) -> None:
    """The end of its log and what to do are in the state; the platform is no longer healthy, but runs."""
    with watched(stage, Member(server(stage, "a")), Member(server(stage, "b"))) as raised:
        broken(stage, "a").touch()
        kill(stage, "a")
        wait_for(lambda: state(stage, "a").phase == "given up", "a is given up")
        note = state(stage, "a").note
        assert "the disk is full" in note
        assert "mien up" in note
        assert "exit status 3" in note
        assert not raised
        assert state(stage, "b").phase == "ready"
        platform = PlatformState.read(stage.home)
        assert platform is not None
        assert platform.phase == "ready"
        assert not platform.is_healthy
        kill(stage, "b")
        wait_for(lambda: state(stage, "b").restarts == 1, "b is still looked after")


def test_without_an_essential_part_there_is_no_platform(stage: Stage) -> None:
    """watch() ends with the reason, and the state file keeps it for whoever asks later."""
    with watched(stage, Member(server(stage, "a"), essential=True), Member(server(stage, "b"))) as raised:
        broken(stage, "a").touch()
        kill(stage, "a")
        wait_for(lambda: bool(raised), "watch() gives up")
    assert raised[0].code == "part_given_up"
    assert "the disk is full" in raised[0].detail
    platform = PlatformState.read(stage.home)
    assert platform is not None
    assert platform.phase == "failed"
    assert "the disk is full" in platform.error


def test_who_lives_on_another_part_is_put_there_again(stage: Stage) -> None:
    """After its host's restart, and only then; a host that is given up takes it with it."""
    host = server(stage, "host")
    with watched(stage, Member(host), Member(Lodger(stage, host), frozenset({"host"})), patience=PATIENT):
        kill(stage, "host")
        wait_for(lambda: state(stage, "lodger").restarts > 0, "the lodger is there again")
        assert state(stage, "lodger").phase == "ready"
        broken(stage, "host").touch()
        kill(stage, "host")
        wait_for(lambda: state(stage, "lodger").phase == "given up", "the lodger is given up, too")
        assert "host" in state(stage, "lodger").note


def test_stopping_does_not_wait_for_a_restart(stage: Stage) -> None:
    """A platform that is told to stop while a part is being brought back leaves no process."""
    slow = Service(stage, "slow", ["-c", "import time; time.sleep(600)"], {}, stage.home.run / "slow.ready")
    ready = stage.home.run / "slow.ready"
    toucher = threading.Thread(target=lambda: wait_for(lambda: _touched(stage, ready), "slow has started"))
    toucher.start()
    with watched(stage, Member(slow)):
        toucher.join()
        kill(stage, "slow")
        wait_for(lambda: state(stage, "slow").phase == "restarting" and not ready.exists(), "it starts again")
        # a process is noted a moment after it was started
        wait_for((stage.home.run / "slow.json").exists, "its process runs again")
        again = identity(stage, "slow")
    assert not again.is_alive()
    assert not (stage.home.run / "slow.json").exists()


def _touched(stage: Stage, ready: Path) -> bool:
    if (stage.home.run / "slow.json").exists():
        ready.touch()
    return ready.exists()
