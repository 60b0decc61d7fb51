"""What a Go program is built from, and where it is once it was built."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien_local.cache import cache_path


def _plain(_go_mod: str) -> str:
    return "-s -w"  # nobody debugs these: without symbols they are a third smaller


@dataclass(frozen=True)
class GoProgram:
    """A program, made of exactly the sources whose hashes stand in a module's go.sum.

    Args:
        name: of its file and of its folder in the cache.
        what: it is, in words for people, such as "the S3 server".
        module: the folder that holds go.mod and go.sum.
        package: the import path of its main package.
        duration: of its first build, in words for people.
        linker_flags: made of the text of go.mod, since that knows the versions.
        files: import paths of packages whose YAML files are kept beside the program, which reads them.
    """

    name: str
    what: str
    module: Path
    package: str
    duration: str
    linker_flags: Callable[[str], str] = _plain
    files: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether its pins are: those of what only tests and demonstrations need lie in a checkout alone."""
        return (self.module / "go.sum").exists()

    @property
    def flags(self) -> str:
        """What the linker is told."""
        return self.linker_flags((self.module / "go.mod").read_text())

    @property
    def path(self) -> Path:
        """Where it is once it was built; named by what went into it, so that another version is another name."""
        pins = "".join((self.module / name).read_text() for name in ("go.mod", "go.sum"))
        content = "\n".join((pins, self.package, self.flags, *self.files))
        return cache_path() / f"{self.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}" / self.name

    @property
    def checksum(self) -> Path:
        """The file beside it that holds its SHA-256."""
        return self.path.with_suffix(".sha256")

    def files_of(self, package: str) -> list[Path]:
        """The YAML files that were kept of a package, sorted by name."""
        return sorted((self.path.parent / kept_name(package)).glob("*.yaml"))


def kept_name(package: str) -> str:
    """The folder beside a program for the files of a package."""
    return package.replace("/", "_")
