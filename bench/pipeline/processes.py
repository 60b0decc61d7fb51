"""A worker's processes, and what they cost."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

GRACE_SECONDS = 30.0


class Worker:
    """A running worker with all processes that it started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = psutil.Process(process.pid)
        self._popen = process
        self._log = log

    def check(self) -> None:
        """See that it runs.

        Raises:
            RuntimeError: it ended; the message is its log's end.
        """
        if self._popen.poll() is not None:
            raise RuntimeError(f"The worker ended:\n{self._log.read_text(errors='replace')[-4000:]}")

    @property
    def cpu_seconds(self) -> float:
        """What its processes have computed so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._all())

    @property
    def peak_megabytes(self) -> float:
        """The most memory that each process has had resident, added up; what they share counts for each."""
        return sum(_peak_kilobytes(process.pid) for process in self._all()) / 1024

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


@contextlib.contextmanager
def working(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Iterator[Worker]:
    """Start a worker; the block's end asks it to stop and ends what is left of it."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Worker(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _peak_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
