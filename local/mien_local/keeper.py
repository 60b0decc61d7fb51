"""Keeps a platform running: a part that ended is started again, or given up with all that anybody needs to know."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mien_core.errors import MienError, Unavailable
from mien_local.board import Board
from mien_local.parts.part import tail
from mien_local.plan import Member
from mien_local.restarts import Patience, Restarts

_WATCH_SECONDS = 0.2
_NEED_SECONDS = 0.05


class Keeper:
    """Watches parts that are ready; each one that ended is brought back in a thread of its own.

    Args:
        board: where changes are noted.
        members: whom to watch.
        ready: one event a part, set as long as it can be used.
        cancelled: set when the platform stops; everything is left as it is then.
        logs: the folder of the logs, for those who read why a part was given up.
        patience: when to start again and when no longer.
    """

    def __init__(
        self,
        board: Board,
        members: Sequence[Member],
        ready: Mapping[str, threading.Event],
        cancelled: threading.Event,
        *,
        logs: Path,
        patience: Patience,
    ) -> None:
        self._board = board
        self._members = members
        self._ready = ready
        self._cancelled = cancelled
        self._logs = logs
        self._restarts = {member.part.name: Restarts(patience) for member in members}
        self._given_up: dict[str, str] = {}
        self._threads: dict[str, threading.Thread] = {}

    def watch(self) -> None:
        """Return once somebody cancels.

        Raises:
            Unavailable: part_given_up, of a part without which the platform is none.
        """
        while not self._cancelled.wait(_WATCH_SECONDS):
            for member in self._members:
                name = member.part.name
                if member.essential and name in self._given_up:
                    raise Unavailable("part_given_up", f"{name}: {self._given_up[name]}")
                if self._ready[name].is_set() and not member.part.is_alive():
                    self._ready[name].clear()
                    thread = threading.Thread(target=self._bring_back, args=(member,), name=f"{name} again")
                    self._threads[name] = thread
                    thread.start()

    def finish(self) -> None:
        """Return once no part is being brought back any more; cancel first."""
        for thread in self._threads.values():
            thread.join()

    def _bring_back(self, member: Member) -> None:
        part, restarts = member.part, self._restarts[member.part.name]
        reason = part.ending()
        before = self._board.of(part.name).restarts
        while not self._cancelled.is_set():
            seconds = restarts.ended(time.monotonic())
            if seconds is None:
                self._give_up(member, reason)
                return
            last_exit = f"{reason.splitlines()[0]}, at {time.strftime('%H:%M:%S')}"
            note = f"{reason.splitlines()[0]}; starts again in {seconds:.1f} s"
            self._board.step(part.name, "restarting", note=note, last_exit=last_exit)
            if self._cancelled.wait(seconds) or not self._has_needs(member):
                return
            try:
                took = self._start_again(member)
            except MienError as error:
                reason = error.detail
            except Exception as error:  # noqa: BLE001 - the edge: a bug in one part must not leave it unwatched
                reason = repr(error)
            else:
                restarts.ready(time.monotonic())
                self._board.step(part.name, "ready", seconds=took, restarts=before + restarts.in_a_row)
                self._ready[part.name].set()
                return

    def _start_again(self, member: Member) -> float:
        member.part.stop()  # what its process left behind
        began = time.monotonic()
        member.part.start()
        return time.monotonic() - began

    def _has_needs(self, member: Member) -> bool:
        """Wait until all that it needs can be used; False if that will never be."""
        for need in member.needs:
            while not self._ready[need].wait(_NEED_SECONDS):
                if self._cancelled.is_set():
                    return False
                if need in self._given_up:
                    self._give_up(member, f"it needs {need}, which was given up")
                    return False
        return True

    def _give_up(self, member: Member, reason: str) -> None:
        name = member.part.name
        with suppress(OSError):  # one that can't even be ended is tried once more when the platform stops
            member.part.stop()
        times = self._restarts[name].in_a_row
        said = reason if "\n" in reason else f"{reason}\n{self._last_words(name)}"
        advice = f"given up after it ended {times} times; mend the cause, then `mien down` and `mien up`: {said}"
        self._given_up[name] = advice
        self._board.step(name, "given up", note=advice)

    def _last_words(self, name: str) -> str:
        log = self._logs / f"{name}.log"
        return f"The end of {log}:\n{tail(log)}"
