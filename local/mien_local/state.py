"""How a platform is, written by the process that runs it and read by every other `mien` command."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mien_local.home import Home, write_private
from mien_local.processes import Identity

Phase = Literal["starting", "ready", "stopping", "failed"]
PartPhase = Literal[
    "waiting",
    "preparing",
    "starting",
    "ready",
    "external",
    "failed",
    "restarting",
    "given up",
    "stopping",
    "stopped",
]


@dataclass(frozen=True)
class PartState:
    """One part: seconds is how long its start took, note what it does at the moment.

    restarts counts how often it was started again, last_exit says how and when it ended before.
    """

    name: str
    phase: PartPhase
    address: str = ""
    seconds: float | None = None
    note: str = ""
    restarts: int = 0
    last_exit: str = ""


@dataclass(frozen=True)
class PlatformState:
    """All of it; error says why the phase is failed."""

    phase: Phase
    supervisor: Identity
    parts: tuple[PartState, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def is_healthy(self) -> bool:
        """Whether all of it can be used now."""
        return self.phase == "ready" and all(part.phase in {"ready", "external"} for part in self.parts)

    def write(self, home: Home) -> None:
        """Replace what was written before; holds credentials, so only the owner can read it."""
        write_private(home.state_file, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, home: Home) -> "PlatformState | None":
        """What is written; None if there is nothing, or what an interrupted write left."""
        content = _json(home.state_file)
        if content is None:
            return None
        try:
            return cls(
                phase=content["phase"],
                supervisor=Identity(**content["supervisor"]),
                parts=tuple(PartState(**part) for part in content["parts"]),
                environment=content["environment"],
                error=content["error"],
            )
        except (KeyError, TypeError):
            return None  # another version of mien wrote it

    @classmethod
    def of_running(cls, home: Home) -> "PlatformState | None":
        """As read, but None unless the process that wrote it still runs."""
        state = cls.read(home)
        return state if state is not None and state.supervisor.is_alive() else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
