"""Processes of a platform end with all that they started, are found again after a crash, and show their logs."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mien_core.errors import Conflict, MienError, Unavailable
from mien_local import demo, supervisor
from mien_local.home import Home
from mien_local.parts.part import Part, Server, Stage
from mien_local.parts.services import Service, Task
from mien_local.plan import Member, Plan
from mien_local.platform import Platform, end_orphans
from mien_local.ports import HOST
from mien_local.processes import Identity, end, family
from mien_local.state import PartState, PlatformState

# Starts a child in a process group of its own, as Ray's workers are, and tells both numbers.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
{then}
print(child.pid, flush=True)
time.sleep(600)
"""
DEADLINE_SECONDS = 60.0
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    home = Home(tmp_path / "home")
    home.prepare()
    return Stage(home)


@pytest.fixture
def server(stage: Stage) -> Iterator[Server]:
    server = Server(stage, "parent", grace=0.5)
    yield server
    server.stop()


def start_parent(server: Server, then: str = "") -> int:
    """Start the parent; the value is its child's number."""
    server.start([sys.executable, "-c", PARENT.format(then=then)])
    server.wait(lambda: server.log.read_text().strip().isdigit(), DEADLINE_SECONDS)
    return int(server.log.read_text())


def wait_for(condition: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("then", ["", STUBBORN])
def test_stopping_ends_children_too(server: Server, stage: Stage, then: str) -> None:
    """Also those in process groups of their own, and also when the parent ignores SIGTERM; its record goes."""
    child = start_parent(server, then)
    assert list(stage.home.run.glob("*.json"))
    server.stop()
    assert not runs(child)
    assert not server.is_alive()
    assert not list(stage.home.run.glob("*.json"))


def test_children_are_found_when_their_parent_is_gone(server: Server) -> None:
    """A parent that was killed leaves children that nobody's tree shows: their session does."""
    child = start_parent(server)
    identity = Identity.read(next(iter(Path(server.log).parent.parent.glob("run/parent.json"))))
    assert identity is not None
    psutil.Process(identity.pid).kill()
    wait_for(lambda: not server.is_alive())
    assert runs(child)
    end(identity)
    assert not runs(child)


def test_another_process_with_the_same_number_is_left_alone(server: Server) -> None:
    """A record of yesterday may hold a number that somebody else has today: the start time tells."""
    child = start_parent(server)
    parent = psutil.Process(child).ppid()
    stranger = replace(Identity.of("yesterday", parent), created=psutil.Process(parent).create_time() - 3600)
    assert not stranger.is_alive()
    assert family(stranger) == []
    end(stranger)
    assert runs(parent)
    assert runs(child)


def test_what_a_killed_platform_left_is_ended(server: Server, stage: Stage) -> None:
    """The records suffice: nothing else is known of the platform that was killed."""
    child = start_parent(server)
    assert end_orphans(stage.home) == ["parent"]
    assert not runs(child)
    assert end_orphans(stage.home) == []


def test_a_demonstration_clears_up_after_a_killed_one(stage: Stage) -> None:
    """Its processes end and its folder goes; one that still runs is left alone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    killed, running = (Home(stage.home.root / f"demo-{pid}-x") for pid in (ended.pid, os.getpid()))
    for home in (killed, running):
        home.prepare()
    left = Server(Stage(killed), "parent")
    child = start_parent(left)
    demo.clear_up(stage.home)
    assert not runs(child)
    assert not left.is_alive()
    assert not killed.root.exists()
    assert running.root.exists()


def test_a_process_that_ends_early_shows_the_end_of_its_log(server: Server) -> None:
    """Whoever reads the error needn't look for the file; the file's name stands there, too."""
    server.start([sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"])
    with pytest.raises(Unavailable) as raised:
        server.wait(lambda: False, DEADLINE_SECONDS)
    assert raised.value.code == "part_failed"
    assert "exit status 3" in raised.value.detail
    assert "the disk is full" in raised.value.detail
    assert str(server.log) in raised.value.detail


def test_a_process_that_is_never_ready_is_given_up(server: Server) -> None:
    """After the deadline, with a code of its own."""
    server.start([sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(Unavailable) as raised:
        server.wait(lambda: False, 0.2)
    assert raised.value.code == "part_not_ready"


def test_the_log_of_the_run_before_is_kept(server: Server) -> None:
    """A restart doesn't wipe out why it was needed."""
    for word in ("first", "second"):
        server.start([sys.executable, "-c", f"print('{word}')"])
        server.finish(DEADLINE_SECONDS)
    assert server.log.read_text() == "second\n"
    assert server.log.with_suffix(".previous.log").read_text() == "first\n"


def test_a_task_gives_its_last_line(stage: Stage) -> None:
    """As text and as JSON; what is no JSON is an error that shows it."""
    task = Task(stage, "task", ["-c", """print("noise"); print('{"uri": "file:///x"}')"""], {})
    task.start()
    assert task.answer() == {"uri": "file:///x"}
    task = Task(stage, "task", ["-c", "print('no json')"], {})
    task.start()
    with pytest.raises(Unavailable, match="no json"):
        task.answer()


# ---- the platform as a whole, made of small parts


def web(stage: Stage, name: str, beside: str = "") -> Service:
    """A real server, which serves only once the one beside it has been started as well."""
    port = stage.home.port(name)
    code = textwrap.dedent(f"""
        import http.server, pathlib, time
        run = pathlib.Path({str(stage.home.run)!r})
        (run / "{name}.begun").touch()
        deadline = time.monotonic() + {DEADLINE_SECONDS}
        while not (run / "{beside or name}.begun").exists():
            assert time.monotonic() < deadline, "nobody starts the other one"
            time.sleep(0.02)
        http.server.test(http.server.SimpleHTTPRequestHandler, port={port}, bind="{HOST}")
    """)
    return Service(stage, name, ["-c", code], {}, f"http://{HOST}:{port}/")


def platform_of(stage: Stage, members: dict[Part, set[str]], heard: list[PartState] | None = None) -> Platform:
    planned = Plan(tuple(Member(part, frozenset(needs)) for part, needs in members.items()), {}, {})
    return Platform(stage.home, planned, stage.cancelled, (heard if heard is not None else []).append)


def test_parts_start_as_soon_as_what_they_need_is_ready(stage: Stage) -> None:
    """Who needs nobody starts at once, side by side; who needs them starts after both."""
    heard: list[PartState] = []
    first, second, last = web(stage, "a", "b"), web(stage, "b", "a"), web(stage, "c")
    platform = platform_of(stage, {last: {"a", "b"}, first: set(), second: set()}, heard)
    try:
        platform.start()
    finally:
        platform.stop()
    steps = [(state.name, state.phase) for state in heard]
    both_started = max(steps.index((name, "starting")) for name in "ab")
    assert both_started < min(steps.index((name, "ready")) for name in "ab")
    assert max(steps.index((name, "ready")) for name in "ab") < steps.index(("c", "starting"))
    assert next(name for name, phase in steps if phase == "stopped") == "c"
    assert not list(stage.home.run.glob("[abc].json"))


def test_what_gives_up_on_a_busy_machine_starts_after_all_builds(stage: Stage) -> None:
    """Also after those of parts that it doesn't need; who is patient starts beside them."""
    patient_one_runs = threading.Event()

    class Built(Part):
        name = "built"

        def prepare(self) -> None:
            assert patient_one_runs.wait(DEADLINE_SECONDS)

        def start(self) -> None:
            pass

    class Patient(Part):
        name = "patient"

        def start(self) -> None:
            patient_one_runs.set()

    class Impatient(Patient):
        name = "impatient"
        starts_after_builds = True

    heard: list[PartState] = []
    platform = platform_of(stage, {Impatient(stage): set(), Patient(stage): set(), Built(stage): set()}, heard)
    try:
        platform.start()
    finally:
        platform.stop()
    steps = [(state.name, state.phase) for state in heard]
    assert (
        steps.index(("patient", "ready")) < steps.index(("built", "waiting")) < steps.index(("impatient", "starting"))
    )


def test_a_part_that_fails_stops_all_others_and_says_why(stage: Stage) -> None:
    """Nothing runs any more; the state tells the reason to whoever asks later."""
    broken = Task(stage, "broken", ["-c", "print('no luck'); raise SystemExit(1)"], {})
    platform = platform_of(stage, {web(stage, "a"): set(), broken: {"a"}, web(stage, "never"): {"broken"}})
    with pytest.raises(MienError, match="no luck"):
        platform.start()
    state = PlatformState.read(stage.home)
    assert state is not None
    assert state.phase == "failed"
    assert "no luck" in state.error
    phases = {part.name: part.phase for part in state.parts}
    assert phases["a"] == "stopped"
    assert phases["never"] == "waiting"
    assert [path.name for path in stage.home.run.glob("*.json")] == ["platform.json"]


def test_a_bug_in_one_part_stops_the_others_too(stage: Stage) -> None:
    """An unexpected exception leaves no process behind, either."""

    class Buggy(Part):
        name = "buggy"

        def start(self) -> None:
            raise ZeroDivisionError

    platform = platform_of(stage, {web(stage, "a"): set(), Buggy(stage): {"a"}})
    with pytest.raises(MienError, match="ZeroDivisionError"):
        platform.start()
    assert [path.name for path in stage.home.run.glob("*.json")] == ["platform.json"]


def test_giving_up_while_it_starts_leaves_nothing(stage: Stage) -> None:
    """Ctrl-C doesn't wait for a part that would need minutes."""
    slow = Service(stage, "slow", ["-c", "import time; time.sleep(600)"], {}, f"http://{HOST}:1/")
    platform = platform_of(stage, {slow: set()})
    threading.Timer(0.5, stage.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="cancelled"):
        platform.start()
    # it would be given up by itself after two minutes
    assert time.monotonic() - began < DEADLINE_SECONDS
    assert [path.name for path in stage.home.run.glob("*.json")] == ["platform.json"]


def test_one_home_has_one_platform(stage: Stage) -> None:
    """A second one is refused while the first has the lock; stopping what doesn't run does nothing."""
    with (
        supervisor._lock(stage.home),
        pytest.raises(Conflict, match="already_running"),
        supervisor.running(stage.home, lambda _state: None),
    ):
        pytest.fail("two platforms in one home")
    assert supervisor.stop(stage.home) == []


def test_signals_are_what_they_were_afterwards() -> None:
    """A platform inside another program gives the signals back."""
    before = signal.getsignal(signal.SIGINT)
    with supervisor._cancelled_by_signals() as cancelled:
        signal.raise_signal(signal.SIGINT)
        assert cancelled.is_set()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_command_explains_itself() -> None:
    """`mien --help` names each command; an unknown one is refused with exit status 2."""
    text = subprocess.run([sys.executable, "-m", "mien_local", "--help"], capture_output=True, text=True, check=True)
    for command in ("up", "down", "status", "logs", "analyse", "doctor", "demo"):
        assert command in text.stdout
    wrong = subprocess.run([sys.executable, "-m", "mien_local", "fly"], capture_output=True, check=False)
    assert wrong.returncode == 2
