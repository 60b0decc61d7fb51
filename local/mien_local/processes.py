"""Processes with everything that they start: started in a session of their own, found again, ended without a rest."""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from mien_local.home import write_private

# Start times are computed from the clock, which may be corrected while a process runs.
_CLOCK_TOLERANCE_SECONDS = 2.0


# In the environment of every process of a platform, and so of all that they start: whose they are.
HOME_MARK = "MIEN_LOCAL__PART_OF"


@dataclass(frozen=True)
class Identity:
    """A process and nobody else: its number may be given to another one later, its start time may not.

    created is in seconds since the epoch; stop_signal is what asks this process to end in good order.
    """

    name: str
    pid: int
    created: float
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM) -> "Identity":
        """The identity of a process that runs now, or that ended unwaited-for a moment ago."""
        return cls(name, pid, psutil.Process(pid).create_time(), int(stop_signal))

    @classmethod
    def read(cls, path: Path) -> "Identity | None":
        """The identity that was recorded in a file; None when there is none, or only half of one."""
        try:
            kept = json.loads(path.read_text())
            return cls(str(kept["name"]), int(kept["pid"]), float(kept["created"]), int(kept["stop_signal"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def record(self, path: Path) -> None:
        """Write it where a later command finds it, even if this process is killed."""
        write_private(path, json.dumps(asdict(self)) + "\n")

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        process = _process(self.pid)
        return process is not None and abs(process.create_time() - self.created) < _CLOCK_TOLERANCE_SECONDS


def exists(pid: int) -> bool:
    """Whether some process has this number now."""
    return bool(psutil.pid_exists(pid))


def family(identity: Identity) -> list[psutil.Process]:
    """The process, its descendants, and whoever is left of its session, when its parents are gone already.

    Works for processes that lead a session of their own, as every part does.
    """
    leader = _process(identity.pid)
    if leader is not None and not identity.is_alive():
        return []  # the number belongs to somebody else now, so nobody of that session is ours
    members: dict[int, psutil.Process] = {}
    if leader is not None:
        with suppress(psutil.NoSuchProcess):
            members = {process.pid: process for process in (leader, *leader.children(recursive=True))}
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(process.pid) == identity.pid:
                members[process.pid] = process
    return [process for process in members.values() if _runs(process)]


def end(identity: Identity, grace: float = 10.0) -> None:
    """Ask the process to end; whoever of its family is left after `grace` seconds is killed. Returns when all are gone.

    Raises:
        TimeoutError: a process survived SIGKILL for five seconds (it hangs in the kernel).
    """
    members = {process.pid: process for process in family(identity)}
    if identity.is_alive():
        with suppress(psutil.NoSuchProcess):
            psutil.Process(identity.pid).send_signal(identity.stop_signal)
        _wait_gone([process for process in members.values() if process.pid == identity.pid], grace)
    # Whoever the leader left behind had its chance.
    deadline = time.monotonic() + 5.0
    while True:
        members |= {process.pid: process for process in family(identity)}
        left = [process for process in members.values() if _runs(process)]
        if not left:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{identity.name}: processes {[process.pid for process in left]} can't be killed")
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait_gone(left, 1.0)


def _wait_gone(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.02)


def _process(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if _runs(process) else None


def _runs(process: psutil.Process) -> bool:
    # A zombie waits for its parent to look at its exit status: it holds nothing and can't be killed.
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
