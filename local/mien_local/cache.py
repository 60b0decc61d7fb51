"""What every platform of a person shares: downloads, built programs, and the locks around them."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mien_core.errors import Unavailable

_POLL_SECONDS = 0.1


def cache_path() -> Path:
    """XDG_CACHE_HOME/mien or ~/.cache/mien, whether it exists or not."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mien"


def cache_folder() -> Path:
    """Where downloads and built programs stay from one platform to the next; made if it isn't there."""
    folder = cache_path()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def exclusively(path: Path, cancelled: threading.Event | None = None) -> Iterator[None]:
    """Hold a file's lock: what is inside runs in one process (and one thread) at a time.

    Raises:
        Unavailable: cancelled was set while another process held the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while not try_lock(file):
            if cancelled is not None and cancelled.is_set():
                raise Unavailable("cancelled", "Another process holds the lock, and nobody waits for it any more.")
            time.sleep(_POLL_SECONDS)
        yield


def try_lock(file: IO[str]) -> bool:
    """Lock an open file until it is closed; False if somebody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
