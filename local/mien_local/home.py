"""A platform's data folder: what it keeps, its logs, its ports and its secrets."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien_local.ports import unused_port


@dataclass(frozen=True)
class Home:
    """A platform's data folder (MIEN_HOME, else `.mien` where the command runs); everything it keeps lies in here."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Home":
        """The folder that MIEN_HOME names, or `.mien` in the working directory."""
        return cls(Path(environment.get("MIEN_HOME") or ".mien").resolve())

    def prepare(self) -> None:
        """Make the folders; the data folder hides itself from version control."""
        for folder in (self.root, self.data, self.logs, self.run, self.out):
            folder.mkdir(parents=True, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    @property
    def data(self) -> Path:
        """What the parts keep."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Which processes belong to this platform."""
        return self.root / "run"

    @property
    def out(self) -> Path:
        """What the platform made for a person: annotated pictures."""
        return self.root / "out"

    @property
    def environment_file(self) -> Path:
        """The lines that a shell can source."""
        return self.root / "dev.env"

    @property
    def state_file(self) -> Path:
        """How the platform is, in JSON."""
        return self.run / "platform.json"

    def port(self, name: str, preferred: int | None = None) -> int:
        """A port that is free now, and this process's from now on.

        The one that `name` had last time, else the preferred one, else any.
        """
        kept = _read_kept(self.data / "ports.json")
        taken = {port for other, port in kept.items() if other != name}
        port = unused_port([kept.get(name), preferred], avoid=taken)
        kept[name] = port
        write_private(self.data / "ports.json", json.dumps(kept, indent=1) + "\n")
        return port

    def secret(self, name: str) -> str:
        """A random secret, made once and kept in a file that only its owner can read."""
        path = self.data / "secrets" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, secrets.token_hex(20))
        return path.read_text().strip()


def _read_kept(path: Path) -> dict[str, int]:
    return {str(name): int(port) for name, port in json.loads(path.read_text()).items()} if path.exists() else {}


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
