"""The platform as a whole: starts its parts as early as their needs allow, keeps them up, stops them in reverse."""

import threading
import time
from collections.abc import Callable
from graphlib import TopologicalSorter
from typing import Any

from mien_core.errors import MienError, Unavailable
from mien_local import environment_file
from mien_local.board import Board
from mien_local.home import Home
from mien_local.keeper import Keeper
from mien_local.parts.part import Part
from mien_local.plan import Member, Plan
from mien_local.processes import Identity, end
from mien_local.restarts import Patience
from mien_local.state import PartPhase, PartState

# as long as the slowest part may take to end in good order
_ORPHAN_SECONDS = 30.0


class Platform:
    """Runs a plan. Its state is in the home's state file at every moment.

    Args:
        home: the data folder; this process holds its lock.
        plan: what to run.
        cancelled: set by whoever wants it to end, also while it starts; the parts know it, too.
        listener: hears of every change of a part.
        patience: when a part that ended is started again, and when no longer.

    Raises:
        CycleError: parts need each other.
    """

    def __init__(
        self,
        home: Home,
        plan: Plan,
        cancelled: threading.Event,
        listener: Callable[[PartState], None] = lambda _state: None,
        patience: Patience = Patience(),  # noqa: B008 - it can't be changed, so all may share it
    ) -> None:
        self._home = home
        self._plan = plan
        self._cancelled = cancelled
        self._lock = threading.RLock()
        order = TopologicalSorter({member.part.name: member.needs for member in plan.members}).static_order()
        members = {member.part.name: member for member in plan.members}
        self._members = [members[name] for name in order]
        self._prepared = {name: threading.Event() for name in members}
        self._ready = {name: threading.Event() for name in members}
        self._begun: list[Part] = []
        external = [PartState(name, "external", address) for name, address in plan.external.items()]
        own = [PartState(member.part.name, "waiting") for member in self._members]
        self._board = Board(home, external + own, listener)
        self._keeper = Keeper(self._board, self._members, self._ready, cancelled, logs=home.logs, patience=patience)

    def start(self) -> None:
        """Start everything, each part in a thread of its own.

        Raises:
            MienError: of the first part that failed; all others are stopped then.
        """
        failures: list[MienError] = []
        threads = [
            threading.Thread(target=self._bring_up, args=(member, failures), name=member.part.name)
            for member in self._members
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not failures and self._cancelled.is_set():
            failures.append(Unavailable("cancelled", "The platform was stopped while it started."))
        if failures:
            self._board.set_phase("failed", error=str(failures[0]))
            self.stop()
            raise failures[0]
        environment_file.write(self._home.environment_file, self.environment)
        self._board.set_phase("ready", environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """All settings under which the platform is reached."""
        settings = dict(self._plan.settings)
        for member in self._members:
            settings.update(member.part.environment())
        first = {name: settings.pop(name) for name in ("MIEN_URL", "MIEN_API_KEY") if name in settings}
        return first | settings

    def watch(self) -> None:
        """Return once somebody cancels; meanwhile, parts that end are started again.

        Raises:
            Unavailable: part_given_up, of a part without which the platform is none; stop() is due then.
        """
        try:
            self._keeper.watch()
        except MienError as error:
            self._board.set_phase("failed", error=str(error))
            raise

    @property
    def failed(self) -> bool:
        """Whether it could not be started or kept up; its state says why."""
        return self._board.phase == "failed"

    def stop(self) -> None:
        """Stop what was begun, the latest first. A part that can't be stopped keeps none of the others running."""
        self._cancelled.set()
        self._keeper.finish()
        if not self.failed:
            self._board.set_phase("stopping")
        while self._begun:
            part = self._begun.pop()
            self._step(part, "stopping")
            try:
                part.stop()
            except (MienError, OSError) as error:
                self._step(part, "failed", note=str(error))
            else:
                self._step(part, "stopped")

    def note(self, name: str, line: str) -> None:
        """Show what a part does at the moment."""
        self._board.note(name, line)

    def _bring_up(self, member: Member, failures: list[MienError]) -> None:
        part = member.part
        try:
            self._step(part, "preparing")
            part.prepare()
            self._prepared[part.name].set()
            self._step(part, "waiting")
            builds = self._prepared.values() if part.starts_after_builds else ()
            for due in (*builds, *(self._ready[need] for need in member.needs)):
                while not due.wait(0.05):
                    if self._cancelled.is_set():
                        return
            with self._lock:
                if self._cancelled.is_set():
                    return
                self._begun.append(part)
            self._step(part, "starting")
            began = time.monotonic()
            part.start()
        except Exception as error:  # noqa: BLE001 - the edge: a bug in one part must stop the others, too
            self._fail(part, error, failures)
        else:
            self._step(part, "ready", seconds=time.monotonic() - began)
            self._ready[part.name].set()

    def _fail(self, part: Part, error: Exception, failures: list[MienError]) -> None:
        with self._lock:
            if isinstance(error, Unavailable) and error.code == "cancelled" and self._cancelled.is_set():
                return
            known = isinstance(error, MienError)
            failures.append(error if known else Unavailable("part_failed", f"{part.name}: {error!r}"))  # type: ignore[arg-type]  # known narrows it
            self._step(part, "failed", note=failures[-1].detail if known else repr(error))
            self._cancelled.set()

    def _step(self, part: Part, phase: PartPhase, *, note: str = "", **changes: Any) -> None:
        self._board.step(part.name, phase, note=note, address=part.address, **changes)


def end_orphans(home: Home) -> list[str]:
    """End what an earlier platform of this home left running when it was killed; gives the names.

    The caller holds the home's lock, or knows that nobody does.
    """
    paths = {path: Identity.read(path) for path in home.run.glob("*.json") if path != home.state_file}
    found = [(path, identity) for path, identity in paths.items() if identity is not None]
    # the latest first: who uses Postgres and Kafka ends before they do
    found.sort(key=lambda each: each[1].created, reverse=True)
    for path, identity in found:
        end(identity, _ORPHAN_SECONDS)
        path.unlink(missing_ok=True)
    return [identity.name for _, identity in found]
