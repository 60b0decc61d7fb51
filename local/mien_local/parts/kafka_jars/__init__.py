"""Apache Kafka's Java archives: exactly those of jgo.lock.toml, by version and SHA-256, kept in the cache."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec, LockedDependency, LockFile
from jgo.maven import MavenContext

from mien_core.errors import Unavailable
from mien_local.cache import cache_folder, exclusively
from mien_local.cached import KAFKA_LOCK, kafka_folder_name

_FOLDER = Path(__file__).parent
_SPECIFICATION = _FOLDER / "jgo.toml"
_PARALLEL_DOWNLOADS = 8


def archives(note: Callable[[str], None]) -> list[Path]:
    """The class path, in the lock's order; downloaded and checked the first time.

    Args:
        note: takes a line of progress for a person.

    Raises:
        Unavailable: kafka_download_failed, if the network or a checksum failed.
    """
    lock = LockFile.load(KAFKA_LOCK)
    folder = cache_folder() / kafka_folder_name()
    with exclusively(cache_folder() / "kafka.lock"):
        if not folder.exists():
            note(f"downloads Apache Kafka ({len(lock.dependencies)} archives)")
            _download(lock, folder)
    return [folder / _file_name(dependency) for dependency in lock.dependencies]


def write_lock() -> Path:
    """Resolve jgo.toml anew and write the lock file that this module trusts."""
    with tempfile.TemporaryDirectory() as repository:
        builder = EnvironmentBuilder(MavenContext(repo_cache=Path(repository)), cache_dir=Path(repository) / "jgo")
        builder.resolve_lockfile(EnvironmentSpec.load(_SPECIFICATION)).save(KAFKA_LOCK)
    return KAFKA_LOCK


def _download(lock: LockFile, folder: Path) -> None:
    """Fetch into a folder aside, check every file, and only then give it its name."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".kafka-") as aside:
        context = MavenContext(repo_cache=Path(aside) / "repository", local_repos=[])
        gathered = Path(aside) / "archives"
        gathered.mkdir()

        def fetch(dependency: LockedDependency) -> None:
            component = context.project(dependency.groupId, dependency.artifactId).at_version(dependency.version)
            path = component.artifact(packaging=dependency.packaging).resolve()
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
            if actual != dependency.sha256:
                raise Unavailable(
                    "kafka_download_failed",
                    f"{path.name} has the SHA-256 {actual}, not {dependency.sha256} as locked: it was not used.",
                )
            shutil.move(path, gathered / _file_name(dependency))

        try:
            with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
                list(pool.map(fetch, lock.dependencies))
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
            raise Unavailable("kafka_download_failed", f"Apache Kafka could not be downloaded: {error}") from error
        gathered.rename(folder)


def _file_name(dependency: LockedDependency) -> str:
    return f"{dependency.artifactId}-{dependency.version}.{dependency.packaging}"
