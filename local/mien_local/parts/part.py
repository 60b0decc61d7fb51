"""What all parts of the platform have in common."""

import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mien_core.errors import Unavailable
from mien_local.home import Home
from mien_local.processes import HOME_MARK, Identity, end

_POLL_SECONDS = 0.05
_TAIL_LINES = 25
_STARTS = 3


@dataclass(frozen=True)
class Stage:
    """Where a part plays: the platform's folders, and the two lines to whoever runs it.

    cancelled, once set, makes every waiting part give up. note takes a line of progress for a person.
    """

    home: Home
    cancelled: threading.Event = field(default_factory=threading.Event)
    note: Callable[[str, str], None] = lambda _part, _line: None


class Part(ABC):
    """One thing that the platform needs. Made without I/O beyond choosing its ports and secrets."""

    name: str
    # whether it starts once all parts are prepared: one that gives up where builds keep every processor busy
    starts_after_builds: ClassVar[bool] = False

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def prepare(self) -> None:  # noqa: B027 - most parts have nothing to fetch or build
        """Fetch or build what the part needs before it can start; needs no other part.

        Raises:
            Unavailable: a download or a build failed.
        """

    @abstractmethod
    def start(self) -> None:
        """Start, and return once it can be used.

        Raises:
            Unavailable: part_failed or part_not_ready; the detail shows the end of its log.
        """

    def stop(self) -> None:  # noqa: B027 - what runs once and ends has nothing to stop
        """Stop, leaving no process behind. Nothing happens if it doesn't run."""

    def environment(self) -> Mapping[str, str]:
        """The settings under which others reach this part; known before it is started."""
        return {}

    def is_alive(self) -> bool:
        """Whether it still does what start() began."""
        return True

    def ending(self) -> str:
        """How it ended, for people, once is_alive() says that it did."""
        return "ended"

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return ""


class Server:
    """A process that stays: its log in a file, its identity recorded, its end complete.

    Args:
        stage: where its log and its record go, and whether waiting still makes sense.
        name: of the log and the record.
        stop_signal: what asks it politely to end.
        grace: seconds that it may take for that.
    """

    def __init__(
        self, stage: Stage, name: str, *, stop_signal: signal.Signals = signal.SIGTERM, grace: float = 10.0
    ) -> None:
        self._stage = stage
        self._name = name
        self._stop_signal = stop_signal
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def log(self) -> Path:
        """What it prints."""
        return self._stage.home.logs / f"{self._name}.log"

    @property
    def _record(self) -> Path:
        return self._stage.home.run / f"{self._name}.json"

    def start(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
        user: str | None = None,
    ) -> None:
        """Start it in a session of its own, as `user` if one is given; the log of the run before is kept once."""
        if self._stage.cancelled.is_set():
            raise Unavailable("cancelled", f"{self._name} was not started: the platform stops.")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._record.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {}), HOME_MARK: str(self._stage.home.root)},
                cwd=folder,
                start_new_session=True,
                user=user,
                extra_groups=[] if user else None,
            )
        self._identity = Identity.of(self._name, self._process.pid, self._stop_signal)
        self._identity.record(self._record)

    def bring_up(
        self,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it and return once `ready` says so; begin again where it ends meanwhile, a few times.

        For what gives up when a machine stands still for a moment while it starts: elsewhere, whoever runs it starts it
        again.

        Raises:
            Unavailable: as wait; part_failed only after the last time.
        """
        for again in reversed(range(_STARTS)):
            self.start(command, environment)
            try:
                self.wait(ready, seconds)
            except Unavailable as error:
                if error.code != "part_failed" or not again:
                    raise
                self.stop()
            else:
                return

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready` says so.

        Raises:
            Unavailable: the process ended (part_failed), time is up (part_not_ready), or nobody waits any more.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self._stage.cancelled.is_set():
                raise Unavailable("cancelled", f"{self._name} was given up: the platform stops.")
            if self._process is None or self._process.poll() is not None:
                status = None if self._process is None else self._process.returncode
                raise Unavailable("part_failed", f"{self._name} ended with exit status {status}.{self._tail()}")
            if time.monotonic() > deadline:
                raise Unavailable("part_not_ready", f"{self._name} was not ready within {seconds:g} s.{self._tail()}")
            time.sleep(_POLL_SECONDS)

    def finish(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until it has ended by itself, successfully.

        Raises:
            Unavailable: as wait does, or it failed.
        """
        process = self._process

        def has_ended() -> bool:
            meanwhile()
            return process is not None and process.poll() == 0

        self.wait(has_ended, seconds)
        self.stop()

    def stop(self) -> None:
        """End it and all that it started; a second time does nothing."""
        if self._identity is None or self._process is None:
            return
        end(self._identity, self._grace)
        self._process.wait()
        self._record.unlink(missing_ok=True)
        self._identity = None

    def kill(self) -> None:
        """End it and all that it started at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def is_alive(self) -> bool:
        """Whether the process itself runs."""
        return self._process is not None and self._process.poll() is None

    def ending(self) -> str:
        """How the process ended, for people."""
        status = None if self._process is None else self._process.poll()
        if status is None:
            return "ended"
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"

    def _tail(self) -> str:
        return f"\nThe end of {self.log}:\n{tail(self.log)}"


class ServerPart(Part):
    """A part that is one server process; whoever inherits makes self._server."""

    _server: Server

    def stop(self) -> None:
        """Ask the process to end in good order, and end what is left of it."""
        self._server.stop()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._server.is_alive()

    def ending(self) -> str:
        """How the process ended."""
        return self._server.ending()


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    if not log.exists():
        return "  (there is none)"
    kept = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in kept) or "  (it is empty)"
