"""Processes of the platform itself: those that stay, and those that do one thing and end."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from mien_core.errors import Unavailable
from mien_local.parts.part import Part, Server, ServerPart, Stage

# Importing takes long on a cold disk and a busy machine.
_READY_SECONDS = 120.0


class Service(ServerPart):
    """A Python module that serves until it is stopped.

    Args:
        stage: as for every part.
        name: of the part and its log.
        arguments: after `python`.
        settings: its environment, beside this process's.
        ready: what shows that it is ready: a URL whose GET succeeds, or a file that it makes.
        address: where it is, for people.
        offers: settings under which others reach it.
    """

    def __init__(
        self,
        stage: Stage,
        name: str,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        ready: str | Path,
        *,
        address: str = "",
        offers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(stage)
        self.name = name
        self._arguments = list(arguments)
        self._settings = dict(settings)
        self._ready = ready
        self._address = address
        self._offers = dict(offers or {})
        self._server = Server(stage, name, grace=30.0)

    @property
    def address(self) -> str:
        """Where it is."""
        return self._address

    def environment(self) -> Mapping[str, str]:
        """What it offers."""
        return self._offers

    def start(self) -> None:
        """Start, and wait until it shows that it is ready."""
        if isinstance(self._ready, Path):
            self._ready.unlink(missing_ok=True)  # a killed one leaves it
        self._server.start([sys.executable, *self._arguments], self._settings)
        self._server.wait(self._is_ready, _READY_SECONDS)

    def _is_ready(self) -> bool:
        if isinstance(self._ready, Path):
            return self._ready.exists()
        try:
            # whoever else answers there, this process must be up, too
            return httpx.get(self._ready, timeout=5.0).is_success and self._server.is_alive()
        except httpx.TransportError:
            return False


class Task(Part):
    """A Python module that does one thing and ends; started again with each platform, so it must not mind that.

    Args:
        stage: as for every part.
        name: of the part and its log.
        arguments: after `python`.
        settings: its environment, beside this process's.
        seconds: how long it may take.
    """

    def __init__(
        self, stage: Stage, name: str, arguments: Sequence[str], settings: Mapping[str, str], seconds: float = 120.0
    ) -> None:
        super().__init__(stage)
        self.name = name
        self._arguments = list(arguments)
        self._settings = dict(settings)
        self._seconds = seconds
        self._process = Server(stage, name)

    def start(self) -> None:
        """Run it to its end."""
        self._process.start([sys.executable, *self._arguments], self._settings)
        self._process.finish(self._seconds)

    def stop(self) -> None:
        """End it, if it was interrupted."""
        self._process.stop()

    def forget(self) -> None:
        """Remove its log, which holds a secret."""
        self._process.log.unlink(missing_ok=True)

    def last_line(self) -> str:
        """What it printed last.

        Raises:
            Unavailable: part_failed, if it printed nothing.
        """
        lines = [line for line in self._process.log.read_text().splitlines() if line.strip()]
        if not lines:
            raise Unavailable("part_failed", f"{self.name} printed nothing; its log is {self._process.log}.")
        return lines[-1].strip()

    def answer(self) -> dict[str, Any]:
        """The JSON object that it printed last.

        Raises:
            Unavailable: part_failed, if that is none.
        """
        try:
            answer = json.loads(self.last_line())
        except ValueError as error:
            raise Unavailable("part_failed", f"{self.name} ended without its answer: {self.last_line()}") from error
        if not isinstance(answer, dict):
            raise Unavailable("part_failed", f"{self.name} ended without its answer: {self.last_line()}")
        return answer


class DevelopmentKey(Part):
    """The API key of the tenant `development`: kept from one platform to the next, made anew if it isn't known there.

    Args:
        stage: as for every part.
        url: of the API.
        settings: what `python -m mien_api keys` needs.
        known: the key of the time before.
    """

    name = "key"

    def __init__(self, stage: Stage, url: str, settings: Mapping[str, str], known: str | None) -> None:
        super().__init__(stage)
        self._url = url
        self._key = known
        arguments = ("-m", "mien_api", "keys", "create", "--tenant", "development", "--owner", "mien", "--scopes", "*")
        self._task = Task(stage, "key", arguments, settings)

    def environment(self) -> Mapping[str, str]:
        """MIEN_API_KEY, once started."""
        return {"MIEN_API_KEY": self._key} if self._key else {}

    def start(self) -> None:
        """Try the known key; make one if there is none or if it is refused."""
        if self._key is None or not self._is_accepted(self._key):
            self._task.start()
            self._key = self._task.last_line()
            self._task.forget()

    def stop(self) -> None:
        """Nothing stays."""
        self._task.stop()

    def _is_accepted(self, key: str) -> bool:
        nobody = f"{self._url}/jobs/00000000-0000-0000-0000-000000000000"
        answer = httpx.get(nobody, headers={"Authorization": f"Bearer {key}"}, timeout=10.0)
        return answer.status_code == httpx.codes.NOT_FOUND
