"""Finds a Go that is new enough for a module."""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def find_go(module: Path) -> Path | None:
    """A Go as new as the module's go.mod wants it: on the path, or beside this Python (the extra `go`)."""
    wanted = required_version(module)
    for candidate in (shutil.which("go"), Path(sys.prefix) / "bin" / "go"):
        if candidate is not None and Path(candidate).exists() and _version(Path(candidate)) >= wanted:
            return Path(candidate)
    return None


def required_version(module: Path) -> tuple[int, ...]:
    """What the module's go.mod wants, such as (1, 25, 0)."""
    match = re.search(r"^go ([\d.]+)$", (module / "go.mod").read_text(), flags=re.MULTILINE)
    return _numbers(match[1]) if match else ()


def _version(go: Path) -> tuple[int, ...]:
    # in a folder without a module, else Go would speak for the toolchain that the module wants
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=go.parent)
    match = re.match(r"go([\d.]+)", answer.stdout.strip())
    return _numbers(match[1]) if match else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.strip(".").split("."))
