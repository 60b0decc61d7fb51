"""What is known of a platform at the moment: kept here, written to the state file, told to the listener."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mien_local.home import Home
from mien_local.processes import Identity
from mien_local.state import PartPhase, PartState, Phase, PlatformState


class Board:
    """Takes notes from many threads; the home's state file holds them at every moment.

    Args:
        home: whose state file is written; this process is its supervisor.
        states: of all parts, at the beginning.
        listener: hears of every change of a part.
    """

    def __init__(self, home: Home, states: Sequence[PartState], listener: Callable[[PartState], None]) -> None:
        self._home = home
        self._listener = listener
        self._supervisor = Identity.of("mien", os.getpid())
        self._lock = threading.RLock()
        self._states = {state.name: state for state in states}
        self._phase: Phase = "starting"
        self._environment: dict[str, str] = {}
        self._error = ""
        self._write()

    @property
    def phase(self) -> Phase:
        """Of the platform as a whole."""
        return self._phase

    def of(self, name: str) -> PartState:
        """One part's state."""
        return self._states[name]

    def step(self, name: str, phase: PartPhase, *, note: str = "", **changes: Any) -> None:
        """A part enters another phase; `changes` are further fields of its state."""
        self._change(name, phase=phase, note=note, **changes)

    def note(self, name: str, line: str) -> None:
        """What a part does at the moment."""
        self._change(name, note=line)

    def set_phase(self, phase: Phase, *, environment: Mapping[str, str] | None = None, error: str = "") -> None:
        """The platform as a whole enters another phase; what the first error was stays."""
        with self._lock:
            self._phase = phase
            self._environment = dict(environment or {})
            self._error = self._error or error
            self._write()

    def _change(self, name: str, **changes: Any) -> None:
        with self._lock:
            self._states[name] = state = replace(self._states[name], **changes)
            self._write()
        self._listener(state)

    def _write(self) -> None:
        states = tuple(self._states.values())
        PlatformState(self._phase, self._supervisor, states, self._environment, self._error).write(self._home)
