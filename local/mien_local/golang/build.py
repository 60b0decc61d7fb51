"""Builds Go programs into the cache."""

import hashlib
import shutil
import tempfile
import time
from pathlib import Path

from mien_core.errors import Unavailable
from mien_local.cache import cache_folder, exclusively
from mien_local.golang.program import GoProgram, kept_name
from mien_local.golang.toolchain import find_go, required_version
from mien_local.parts.part import Server, Stage

_BUILD_SECONDS = 1200.0
_LIST_SECONDS = 300.0
_NOTE_EVERY_SECONDS = 10.0
# neither another toolchain nor anybody's workspace or flags: the module as it is
_ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}


def build(program: GoProgram, stage: Stage, who: str) -> Path:
    """The program, built now if this machine has none yet; builders of one module wait for each other.

    They would else compile the same packages twice, since Go shares only what is finished.

    Args:
        program: what to build.
        stage: whose folder takes the log.
        who: the part for which progress is noted.

    Raises:
        Unavailable: go_missing, checkout_missing, or part_failed when the build fails.
    """
    if not program.is_here:
        raise Unavailable(
            "checkout_missing", f"{program.name} is built from {program.module}: run this in a checkout of mien."
        )
    if program.path.exists():
        return program.path
    with exclusively(cache_folder() / f"{program.module.name}.lock", stage.cancelled):
        if not program.path.exists():
            _Build(program, stage, who).run()
    return program.path


class _Build:
    """One build, in a folder aside, which takes its place at once when all is in it."""

    def __init__(self, program: GoProgram, stage: Stage, who: str) -> None:
        self._program = program
        self._stage = stage
        self._who = who

    def run(self) -> None:
        program = self._program
        go = find_go(program.module)
        if go is None:
            version = ".".join(str(number) for number in required_version(program.module))
            raise Unavailable(
                "go_missing",
                f"{program.what} is built with Go {version} or newer, and this machine has none: "
                "install the extra `go` (`make setup` does), or Go itself.",
            )
        self._stage.note(self._who, f"builds {program.what} (once on a machine, {program.duration})")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f".{program.name}-") as aside:
            output = Path(aside) / "program" / program.name
            self._compile(go, output)
            self._keep_files(go, output.parent)
            # by which `mien doctor` knows a program that a full disk cut short or somebody changed
            checksum = output.with_name(program.checksum.name)
            checksum.write_text(hashlib.sha256(output.read_bytes()).hexdigest() + "\n")
            output.parent.replace(program.path.parent)
        self._stage.note(self._who, f"built {program.what} in {time.monotonic() - began:.0f} s")

    def _compile(self, go: Path, output: Path) -> None:
        builder = Server(self._stage, f"{self._program.name}-build")
        builder.start(
            [
                go,
                "build",
                "-v",
                "-buildvcs=false",
                f"-ldflags={self._program.flags}",
                "-o",
                output,
                self._program.package,
            ],
            _ENVIRONMENT,
            folder=self._program.module,
        )
        progress = _Progress(self._program, self._stage, self._who, builder.log)
        try:
            builder.finish(_BUILD_SECONDS, progress)
        finally:
            builder.stop()

    def _keep_files(self, go: Path, beside: Path) -> None:
        """Copy them out of Go's own cache, which somebody may clear."""
        for package in self._program.files:
            lister = Server(self._stage, f"{self._program.name}-files")
            lister.start([go, "list", "-f", "{{.Dir}}", package], _ENVIRONMENT, folder=self._program.module)
            try:
                lister.finish(_LIST_SECONDS)
            finally:
                lister.stop()
            source = Path(lister.log.read_text().splitlines()[-1])
            target = beside / kept_name(package)
            target.mkdir()
            for file in source.glob("*.yaml"):
                # not copy(): Go's cache is read-only, and its modes would make ours so
                shutil.copyfile(file, target / file.name)


class _Progress:
    """Says now and then how many packages are compiled: Go's -v prints each on a line of its own."""

    def __init__(self, program: GoProgram, stage: Stage, who: str, log: Path) -> None:
        self._program = program
        self._stage = stage
        self._who = who
        self._log = log
        self._next = time.monotonic() + _NOTE_EVERY_SECONDS

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next += _NOTE_EVERY_SECONDS
            count = len([line for line in self._log.read_text().splitlines() if not line.startswith("go: ")])
            self._stage.note(self._who, f"builds {self._program.what}: {count} packages compiled")
