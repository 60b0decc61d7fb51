"""What was installed, downloaded and built: against the locked requirements and checksums."""

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mien_local.cache import cache_path
from mien_local.cached import KAFKA_LOCK, kafka_folder_name
from mien_local.doctor.finding import Finding, broken, ok, warning
from mien_local.programs import PROGRAMS

REPOSITORY = Path(__file__).parents[3]
_SHOWN = 5
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+))?")


def packages(locked: Path = REPOSITORY / "requirements" / "workstation.txt") -> Iterator[Finding]:
    """Each package of the lock, in the version of the lock, is installed for this interpreter."""
    if not locked.exists():
        yield ok("packages", f"no checkout, so no lock to compare with ({sys.prefix})")
        return
    pins = [match for line in locked.read_text().splitlines() if (match := _PIN.match(line))]
    wrong, count = [], 0
    for pin in pins:
        if pin["marker"] and not _applies(pin["marker"]):
            continue
        count += 1
        installed = _installed(pin["name"])
        if installed != pin["version"]:
            wrong.append(f"{pin['name']} is {installed or 'missing'}, not {pin['version']}")
    if not wrong:
        yield ok("packages", f"{count} as locked, in {sys.prefix}")
        return
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    yield broken("packages", f"{'; '.join(wrong[:_SHOWN])}{more} (in {sys.prefix})", "requirements/install.sh")


def kafka() -> Iterator[Finding]:
    """Apache Kafka's archives in the cache have the checksums of the lock."""
    folder = cache_path() / kafka_folder_name()
    if not folder.exists():
        yield ok("kafka's archives", "not downloaded yet: the first start does")
        return
    wrong = []
    for dependency in tomllib.loads(KAFKA_LOCK.read_text())["dependencies"]:
        path = folder / f"{dependency['artifactId']}-{dependency['version']}.{dependency['packaging']}"
        if not path.exists():
            wrong.append(f"{path.name} is missing")
        elif _sha256(path) != dependency["sha256"]:
            wrong.append(f"{path.name} has another checksum")
    if wrong:
        yield broken("kafka's archives", "; ".join(wrong[:_SHOWN]), f"rm -r {folder} (the next start downloads it)")
    else:
        yield ok("kafka's archives", f"all checksums as locked, in {folder}")


def programs() -> Iterator[Finding]:
    """The programs that were built from Go source are as they were when they were built."""
    waiting = []
    for program in PROGRAMS:
        if not program.is_here:
            continue
        if not program.path.parent.exists():
            waiting.append(program.name)
            continue
        name = f"{program.name}'s program"
        mend = f"rm -r {program.path.parent} (the next start builds it)"
        if not program.path.exists():
            yield broken(name, f"{program.path} is missing", mend)
        elif not program.checksum.exists():
            yield warning(name, f"{program.path} was built without keeping its checksum", mend)
        elif _sha256(program.path) != program.checksum.read_text().strip():
            yield broken(name, f"{program.path} isn't what was built", mend)
        else:
            yield ok(name, f"as it was built, in {program.path.parent}")
    if waiting:
        yield ok("programs", f"built by the first start that needs them: {', '.join(waiting)}")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _applies(marker: str) -> bool:
    try:
        from packaging.markers import Marker  # noqa: PLC0415 - a broken installation has none
    except ImportError:
        return False  # then enough others are missing, too
    return bool(Marker(marker.strip()).evaluate())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
