"""Free TCP ports on the loopback address."""

import fcntl
import os
import random
import socket
from collections.abc import Collection, Sequence
from pathlib import Path

from mien_local.cache import cache_folder

HOST = "127.0.0.1"

# Below what Linux and macOS hand to outgoing connections: a port picked there can be gone before the server binds it.
_FIRST, _LAST = 20_000, 32_000

# One open file each, for ever: closing any would give up all locks that this process has on it.
_reservations: dict[Path, int] = {}


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as servers do: connections of an earlier one in TIME_WAIT don't count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def reserve(port: int) -> bool:
    """Keep a port for this process until it ends; False if another platform of this person has it.

    Between the choice of a port and the start of its server lie seconds, in which another platform would find the
    port free, too. The reservation is a lock on one byte of a file, the one with the port's number.
    """
    path = cache_folder() / "ports.lock"
    if path not in _reservations:
        _reservations[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(_reservations[path], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    return True


def unused_port(wishes: Sequence[int | None] = (), avoid: Collection[int] = ()) -> int:
    """The first wish that is free, else a random free port, never one of `avoid`; reserved for this process.

    Raises:
        OSError: no port is free.
    """
    for wish in wishes:
        if wish is not None and wish not in avoid and is_free(wish) and reserve(wish):
            return wish
    candidates = random.sample(range(_FIRST, _LAST), 500)
    for candidate in candidates:
        if candidate not in avoid and is_free(candidate) and reserve(candidate):
            return candidate
    raise OSError(f"no free port between {_FIRST} and {_LAST} on {HOST}")
