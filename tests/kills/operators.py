"""Operators that can be killed at any call, as whoever kills them sees them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mien_local.ports import HOST
from tests.operators import ROOT

# for whatever is waited for; a machine may stand still for long
DEADLINE_SECONDS: Final = 300.0


class Died(Exception):
    """The operator is no more."""


@dataclass
class Operator:
    """A process that looks when it is told to."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    killed: bool = False

    async def look(self, now: datetime, kinds: Iterable[str]) -> float | None:
        """Have it look; the pause until it wants to look again.

        Raises:
            Died: it was killed meanwhile.
        """
        try:
            said = {"now": now.isoformat(), "kinds": list(kinds)}
            self.writer.write(json.dumps(said).encode() + b"\n")
            async with asyncio.timeout(DEADLINE_SECONDS):
                line = await self.reader.readline()
        except ConnectionError as error:
            raise Died from error
        if not line:
            raise Died
        pause: float | None = json.loads(line)
        return pause

    def kill(self) -> None:
        """End it without a word."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until it is no more; what it was connected with is closed then."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                while await self.reader.read(2**16):
                    pass
        self.writer.close()


class Operators:
    """Where operators come from.

    Args:
        log: what they write.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._port = 0

    @property
    def log(self) -> str:
        return self._log.read_text()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Operators"]:
        """Make operators for as long as the block lasts."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connected.put((reader, writer))

        # numbers are few here, and a fork takes none of their threads along
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
        command = (sys.executable, "-m", "tests.kills.forked")
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
            )
        async with await asyncio.start_server(connected, HOST, 0) as server:
            self._port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                assert self._process.stdin is not None
                self._process.stdin.close()
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await self._process.wait()

    async def new(self, kubeconfig: Path, settings: Mapping[str, Any]) -> Operator:
        """An operator that hasn't looked at anything yet."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        words = {"kubeconfig": str(kubeconfig), "settings": settings, "port": self._port}
        process.stdin.write(json.dumps(words).encode() + b"\n")
        async with asyncio.timeout(DEADLINE_SECONDS):
            pid = int(await process.stdout.readline())
            reader, writer = await self._connected.get()
        return Operator(pid, reader, writer)
