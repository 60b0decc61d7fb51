"""The machine: interpreter, tools, room on disk and in memory, GPU."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mien_local.doctor.finding import Finding, broken, ok, warning

OLDEST, NEWEST = (3, 11), (3, 12)
# what a first start downloads, builds and writes, and what a running platform takes
_DISK_NEEDED_GIB, _DISK_WISHED_GIB = 1.0, 5.0
_MEMORY_NEEDED_GIB, _MEMORY_WISHED_GIB = 1.0, 3.0
_GIB = 1024.0**3


def python() -> Iterator[Finding]:
    """The interpreter that runs this."""
    version = sys.version_info[:2]
    text = f"{sys.version.split()[0]} ({sys.executable})"
    if OLDEST <= version <= NEWEST:
        yield ok("python", text)
    else:
        yield broken("python", f"{text} is neither 3.11 nor 3.12", "make setup PYTHON=/path/to/python3.12")


def tools() -> Iterator[Finding]:
    """The programs that the repository's own commands call."""
    for name in ("git", "make"):
        path = shutil.which(name)
        if path:
            yield ok(name, path)
        else:
            yield broken(
                name, "is not on the path", f"install it: apt-get install {name} (macOS: xcode-select --install)"
            )


def disk(folder: Path) -> Iterator[Finding]:
    """Room where the platform keeps its data."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / _GIB
    room = (_DISK_NEEDED_GIB, _DISK_WISHED_GIB)
    yield _room("disk", free, f"free for {folder}", room, "make room, or set MIEN_HOME")


def memory(*, running: bool) -> Iterator[Finding]:
    """Memory that processes may still take; a running platform has had its share."""
    import psutil  # noqa: PLC0415 - a broken installation has none

    free = psutil.virtual_memory().available / _GIB
    room = (0.2, 0.5) if running else (_MEMORY_NEEDED_GIB, _MEMORY_WISHED_GIB)
    yield _room("memory", free, "available", room, "end other programs")


def gpu() -> Iterator[Finding]:
    """What computes; without a GPU everything works, on the processor."""
    program = shutil.which("nvidia-smi")
    if program is None:
        yield ok("gpu", f"none seen; {os.cpu_count()} processor cores do the work")
        return
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    names = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    if answer.returncode == 0 and names:
        yield ok("gpu", ", ".join(names))
    else:
        yield warning("gpu", "nvidia-smi is here and shows none", "look at what nvidia-smi says; or do without a GPU")


def _room(name: str, free: float, of_what: str, room: tuple[float, float], mend: str) -> Finding:
    needed, wished = room
    text = f"{free:.1f} GiB {of_what}"
    if free < needed:
        return broken(name, f"{text}; {needed:g} GiB are needed", mend)
    return warning(name, f"{text}; {wished:g} GiB are better", mend) if free < wished else ok(name, text)
