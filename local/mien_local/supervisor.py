"""The process that runs a platform: in the foreground, or detached from whoever said `mien up`."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mien_core.errors import Conflict, Unavailable
from mien_local.cache import try_lock
from mien_local.home import Home
from mien_local.parts.part import Stage, tail
from mien_local.plan import Plan
from mien_local.platform import Platform, end_orphans
from mien_local.processes import end
from mien_local.state import PartState, PlatformState

_POLL_SECONDS = 0.1
_STOP_SECONDS = 120.0

Listener = Callable[[PartState], None]


def _whole(stage: Stage) -> Plan:
    from mien_local.wiring import plan  # noqa: PLC0415 - it takes seconds to import, and status or down don't need it

    return plan(stage, os.environ)


@contextmanager
def running(home: Home, listener: Listener, planned: Callable[[Stage], Plan] = _whole) -> Iterator[Platform]:
    """A platform that is ready inside the block and gone after it; `planned` says of what it consists.

    SIGINT and SIGTERM cancel it: starting is given up, and watch() returns. What a killed platform of this home left
    behind is ended first.

    Raises:
        Conflict: already_running, if another process runs this home's platform.
        MienError: a part could not be started; nothing runs any more then.
    """
    home.prepare()
    with _lock(home), _cancelled_by_signals() as cancelled:
        end_orphans(home)
        platform: Platform | None = None

        def note(name: str, line: str) -> None:
            if platform is not None:
                platform.note(name, line)

        platform = Platform(home, planned(Stage(home, cancelled, note)), cancelled, listener)
        try:
            platform.start()
            yield platform
        finally:
            platform.stop()
            if not platform.failed:
                home.state_file.unlink(missing_ok=True)


def start_detached(home: Home, listener: Listener) -> PlatformState:
    """Start a platform in a process of its own, and return once it is ready; it stays.

    Raises:
        Unavailable: platform_failed, when a part could not be started; nothing runs any more then.
        KeyboardInterrupt: the person gave up; nothing runs any more then, either.
    """
    home.prepare()
    home.state_file.unlink(missing_ok=True)
    with _log(home).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mien_local", "up", "--foreground"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MIEN_HOME": str(home.root), "NO_COLOR": "1", "COLUMNS": "200"},
            start_new_session=True,
        )
    try:
        return follow(home, listener, lambda: process.poll() is None)
    except KeyboardInterrupt:
        process.terminate()
        process.wait(_STOP_SECONDS)
        raise


def follow(home: Home, listener: Listener, is_alive: Callable[[], bool]) -> PlatformState:
    """Tell the listener of each change until the platform is ready.

    Raises:
        Unavailable: platform_failed.
    """
    heard: dict[str, PartState] = {}
    while True:
        alive = is_alive()
        state = PlatformState.read(home)
        for part in state.parts if state else ():
            if heard.get(part.name) != part:
                heard[part.name] = part
                listener(part)
        if state is not None and state.phase == "ready":
            return state
        if not alive:
            reason = state.error if state is not None and state.error else f"its last words:\n{tail(_log(home))}"
            raise Unavailable("platform_failed", f"The platform did not start: {reason}")
        time.sleep(_POLL_SECONDS)


def stop(home: Home) -> list[str]:
    """Stop the platform of this home, and whatever a killed one left; gives the names of what was stopped."""
    state = PlatformState.of_running(home)
    stopped = []
    if state is not None:
        stopped = [part.name for part in state.parts if part.phase not in {"external", "stopped"}]
        # it stops its parts in good order; if it can't in that time, they go with it
        end(state.supervisor, _STOP_SECONDS)
    home.state_file.unlink(missing_ok=True)
    if home.run.is_dir():
        with _lock(home):
            stopped += [f"{name} (left behind)" for name in end_orphans(home)]
    return stopped


def _log(home: Home) -> Path:
    return home.logs / "mien.log"


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    with (home.run / "lock").open("a") as file:
        if not try_lock(file):
            raise Conflict("already_running", f"Another process starts, runs or stops the platform of {home.root}.")
        yield


@contextmanager
def _cancelled_by_signals() -> Iterator[threading.Event]:
    cancelled = threading.Event()

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancelled
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
