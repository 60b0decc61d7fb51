"""A Postgres for one benchmark alone, one that waits for the disk."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mien_core import migrations
from mien_local.home import Home
from mien_local.parts.part import Stage
from mien_local.parts.postgres import Postgres


@contextmanager
def own_postgres() -> Iterator[Mapping[str, str]]:
    """Have it run, at the newest schema, as long as the block lasts; its settings."""
    with tempfile.TemporaryDirectory(prefix="mien-bench-") as folder:
        home = Home(Path(folder))
        home.prepare()
        # its user must be able to reach it
        Path(folder).chmod(0o755)
        part = Postgres(Stage(home))
        part.prepare()
        part.start()
        try:
            migrations.upgrade(part.url)
            yield part.environment()
        finally:
            part.stop()
