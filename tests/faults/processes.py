"""A process that is started again whenever it ends, as a supervisor would, and that tests may treat badly."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien_core.faults import FIRED_SUFFIX, Fault

REPOSITORY = Path(__file__).parents[2]
# a supervisor that is quicker would find ports still taken, a slower one would be measured instead of the process
RESTART_SECONDS = 0.2
READY_SECONDS = 90.0
STOP_SECONDS = 60.0


@dataclass
class Kept:
    """A process by its name, its command and what shows that it takes part.

    ends has the moment (of time.monotonic) and the exit status of each end that nobody asked for.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    is_ready: Callable[[], bool]
    ends: list[tuple[float, int]] = field(default_factory=list)
    forgiven: int = 0
    _process: asyncio.subprocess.Process | None = None
    _keeping: asyncio.Task[None] | None = None
    _wanted: bool = False

    @property
    def plan(self) -> Path:
        """The file that its fault points read."""
        return self.folder / f"{self.name}.plan"

    @property
    def ready_file(self) -> Path:
        """What a process without a port makes when it takes part."""
        return self.folder / f"{self.name}.ready"

    @property
    def log(self) -> Path:
        """What all of its lives have printed."""
        return self.folder / f"{self.name}.log"

    @property
    def runs(self) -> bool:
        """Tell whether there is a process now."""
        return self._process is not None and self._process.returncode is None

    @property
    def unexpected_ends(self) -> list[int]:
        """Exit statuses of ends that no test wanted."""
        return [status for _, status in self.ends[self.forgiven :]]

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and again whenever it ends; environment is for this start and the following ones."""
        assert self._keeping is None or self._keeping.done()
        self._wanted = True
        self._keeping = asyncio.create_task(self._keep({**self.environment, **(environment or {})}))

    async def ready(self) -> None:
        """Wait until it takes part."""
        async with asyncio.timeout(READY_SECONDS):
            while not (self.runs and self.is_ready()):
                assert self._keeping is not None
                assert not self._keeping.done(), f"{self.name} can't be started"
                await asyncio.sleep(0.02)

    async def gone(self) -> None:
        """Wait until it has ended without being told to."""
        await until(lambda: bool(self.unexpected_ends), READY_SECONDS, f"{self.name} is gone")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and don't start it again."""
        self._wanted = False
        if self.runs:
            self.send(signal.SIGCONT)
            self.send(number)
        if self._keeping is not None:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await asyncio.shield(self._keeping)
            except TimeoutError:
                self.send(signal.SIGKILL)
                await self._keeping
                raise

    def kill(self) -> None:
        """SIGKILL; it comes back."""
        self.forgiven += 1
        self.send(signal.SIGKILL)

    def forgive(self) -> None:
        """Take all ends so far for wanted."""
        self.forgiven = len(self.ends)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)

    def arm(self, fault: Fault) -> None:
        """Plan a fault for one of its points."""
        self.plan.with_suffix(FIRED_SUFFIX).unlink(missing_ok=True)
        temporary = self.plan.with_suffix(".new")
        temporary.write_text(str(fault))
        temporary.replace(self.plan)

    def disarm(self) -> None:
        """Forget a plan that didn't happen."""
        self.plan.unlink(missing_ok=True)

    @property
    def fired(self) -> bool:
        """Tell whether the plan has happened."""
        return self.plan.with_suffix(FIRED_SUFFIX).exists()

    async def _keep(self, environment: Mapping[str, str]) -> None:
        while self._wanted:
            self.ready_file.unlink(missing_ok=True)
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self.command,
                    env=environment,
                    cwd=REPOSITORY,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            status = await self._process.wait()
            if not self._wanted:
                return
            self.ends.append((time.monotonic(), status))
            await asyncio.sleep(RESTART_SECONDS)


async def stop_all(processes: Sequence[Kept]) -> None:
    """End all at once; the first that had to be killed for it comes out as an error."""
    outcomes = await asyncio.gather(*(process.stop() for process in processes), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; after `seconds` it is an error that says what was waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - the state of another process has no event to wait for
                await asyncio.sleep(0.02)
            return
    raise AssertionError(f"after {seconds:g} s still not: {what}")
