"""versitygw, the S3 server: built from its source once a machine, exactly as go.sum says."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien_core.errors import Unavailable
from mien_local.cache import cache_folder, exclusively
from mien_local.cached import checksum_of, s3_program_name
from mien_local.parts.part import Server, Stage

_FOLDER = Path(__file__).parent
_PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
_BUILD_SECONDS = 1200.0
_NOTE_EVERY_SECONDS = 10.0


def program() -> Path:
    """Where the program is once it was built."""
    return cache_folder() / s3_program_name()


def find_go() -> Path | None:
    """A Go that is new enough: on the path, or beside this Python (the extra `go` puts it there)."""
    wanted = _required_version()
    for candidate in (shutil.which("go"), Path(sys.prefix) / "bin" / "go"):
        if candidate is not None and Path(candidate).exists() and _version(Path(candidate)) >= wanted:
            return Path(candidate)
    return None


def build(stage: Stage) -> Path:
    """The program, built now if this machine has none yet; two builders at a time wait for each other.

    Raises:
        Unavailable: go_missing, or part_failed when the build fails.
    """
    path = program()
    with exclusively(cache_folder() / "versitygw.lock", stage.cancelled):
        if not path.exists():
            go = find_go()
            if go is None:
                version = ".".join(str(number) for number in _required_version())
                raise Unavailable(
                    "go_missing",
                    f"The S3 server is built with Go {version} or newer, and this machine has none: "
                    "install the extra `go` (`make setup` does), or Go itself.",
                )
            _build(stage, go, path)
    return path


def _build(stage: Stage, go: Path, path: Path) -> None:
    stage.note("s3", "builds the S3 server (once on a machine, about a minute)")
    with tempfile.TemporaryDirectory(dir=path.parent.parent, prefix=".versitygw-") as aside:
        output = Path(aside) / "program" / "versitygw"
        builder = Server(stage, "s3-build")
        builder.start(
            [go, "build", "-v", "-buildvcs=false", "-ldflags=-s -w", "-o", output, _PACKAGE],
            # neither another toolchain nor anybody's workspace or flags: the module as it is
            {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"},
            folder=_FOLDER,
        )
        progress = _Progress(stage, builder.log)
        try:
            builder.finish(_BUILD_SECONDS, progress)
        finally:
            builder.stop()
        # by which `mien doctor` knows a program that a full disk cut short or somebody changed
        checksum_of(output).write_text(hashlib.sha256(output.read_bytes()).hexdigest() + "\n")
        output.parent.replace(path.parent)


class _Progress:
    """Says now and then how many packages are compiled: Go's -v prints each on a line of its own."""

    def __init__(self, stage: Stage, log: Path) -> None:
        self._stage = stage
        self._log = log
        self._next = time.monotonic() + _NOTE_EVERY_SECONDS

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next += _NOTE_EVERY_SECONDS
            count = len([line for line in self._log.read_text().splitlines() if not line.startswith("go: ")])
            self._stage.note("s3", f"builds the S3 server: {count} packages compiled")


def _required_version() -> tuple[int, ...]:
    match = re.search(r"^go ([\d.]+)$", (_FOLDER / "go.mod").read_text(), flags=re.MULTILINE)
    return _numbers(match[1]) if match else ()


def _version(go: Path) -> tuple[int, ...]:
    # in a folder without a module, else Go would speak for the toolchain that the module wants
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=go.parent)
    match = re.match(r"go([\d.]+)", answer.stdout.strip())
    return _numbers(match[1]) if match else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.strip(".").split("."))
