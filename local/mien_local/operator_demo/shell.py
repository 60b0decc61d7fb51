"""Commands as a person types them: shown, run, and their output shown as it comes."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue

from rich.console import Console

from mien_core.errors import Unavailable

_POLL_SECONDS = 0.1
_USUAL_SECONDS = 180.0


class Shell:
    """One person's shell.

    Args:
        console: where commands and what they say are shown.
        environment: beside this process's.
        folder: where commands run.
        check: is called while a command runs, and raises what ends it.
    """

    def __init__(
        self, console: Console, environment: Mapping[str, str], folder: Path, check: Callable[[], None]
    ) -> None:
        self._console = console
        self._environment = dict(environment)
        self._folder = folder
        self._check = check

    def export(self, name: str, value: str) -> None:
        """Let the commands from now on know this."""
        self._environment[name] = value

    def tell(self, line: str) -> None:
        """Say what a command can't."""
        self._console.print(f"· {line}", style="dim", markup=False, highlight=False, soft_wrap=True)

    def title(self, line: str) -> None:
        """Begin an act."""
        self._console.print(f"\n== {line} ==\n", style="bold", markup=False, highlight=False, soft_wrap=True)

    def run(self, command: str, *, status: int = 0, seconds: float = _USUAL_SECONDS, secret: bool = False) -> str:
        """Show a command and run it; what it prints is shown unless it is a secret.

        Returns:
            What it printed, without the newline at its end.

        Raises:
            Unavailable: act_failed, with another exit status; what check raises.
        """
        self._type(command)
        return self._run(command, status, seconds, _ignore if secret else self._say)

    def ask(self, command: str, seconds: float = _USUAL_SECONDS) -> str:
        """Run a command that nobody needs to see.

        Raises:
            Unavailable: as run.
        """
        return self._run(command, 0, seconds, _ignore)

    def watch(self, command: str, seen: Callable[[list[str]], bool], seconds: float) -> None:
        """Show a command that goes on, and what it prints, until a line of it is what is waited for.

        Args:
            command: what to run; it is begun again should it end.
            seen: tells of a line's words whether it is; it may raise, if that will never be.
            seconds: how long it may take.

        Raises:
            Unavailable: act_failed after that time; what check raises.
        """
        self._type(command)
        deadline = time.monotonic() + seconds
        last: list[str] = []
        while time.monotonic() < deadline:
            with self._running(command) as lines:
                for line in self._until_end(lines, deadline, command):
                    # a resource that only became older is no news
                    if (words := line.split())[:-1] == last:
                        continue
                    self._say(line)
                    last = words[:-1]
                    if seen(words):
                        return
            time.sleep(_POLL_SECONDS)
        raise _failed(f"After {seconds:g} s it was not seen what is waited for: {command}")

    def _run(self, command: str, status: int, seconds: float, say: Callable[[str], None]) -> str:
        printed: list[str] = []
        with self._running(command) as lines:
            for line in self._until_end(lines, time.monotonic() + seconds, command):
                say(line)
                printed.append(line)
        if lines.status != status:
            said = "\n".join(printed)
            raise _failed(f"It ended with the exit status {lines.status}, not {status}: {command}\n{said}")
        return "\n".join(printed)

    def _until_end(self, lines: "_Lines", deadline: float, command: str) -> Iterator[str]:
        while True:
            self._check()
            if time.monotonic() > deadline:
                raise _failed(f"It took too long: {command}")
            with suppress(Empty):
                line = lines.queue.get(timeout=_POLL_SECONDS)
                if line is None:
                    return
                yield line

    @contextmanager
    def _running(self, command: str) -> "Iterator[_Lines]":
        """What the command prints; after the block it has ended."""
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self._environment},
            cwd=self._folder,
            # a Ctrl-C is for the one who typed the whole
            start_new_session=True,
        )
        lines = _Lines()
        reader = threading.Thread(target=lines.read, args=(process,), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join()

    def _type(self, command: str) -> None:
        self._console.print(f"$ {command}", style="bold", markup=False, highlight=False, soft_wrap=True)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Lines:
    """A process's lines as they come, None after the last one; by then its exit status is known."""

    def __init__(self) -> None:
        self.queue: Queue[str | None] = Queue()
        self.status: int | None = None

    def read(self, process: "subprocess.Popen[str]") -> None:
        """Read all of them."""
        assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
        for line in process.stdout:
            self.queue.put(line.rstrip("\n"))
        self.status = process.wait()
        self.queue.put(None)


def _ignore(_line: str) -> None:
    """Show nothing."""


def expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - as an assertion
    """Go on if it holds.

    Raises:
        Unavailable: act_failed.
    """
    if not holds:
        raise _failed(otherwise)


def _failed(detail: str) -> Unavailable:
    return Unavailable("act_failed", detail)
