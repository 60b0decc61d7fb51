"""A look at all resources now and then, beside the watches: what these missed is found, and the cluster is heard of."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

from mien_core.errors import MienError
from mien_operator.crds.definition import Kind
from mien_operator.documents import Document
from mien_operator.interruptions import Gone
from mien_operator.pulse import Pulse
from mien_operator.work import Work

logger = logging.getLogger(__name__)


class Lister(Protocol):
    """Who reads the cluster; both raise MienError where it is away."""

    def metadata(self, kind: Kind) -> AsyncIterator[Mapping[str, Any]]:
        """Read the metadata of all resources of a kind."""

    async def get(self, kind: Kind, name: str) -> Document:
        """Read one; raises Gone."""


class Probe:
    """Compares what is there with what is known.

    Args:
        lister: reads the cluster.
        work: knows, and is told.
        kinds: those looked at.
        pulse: beaten when all were.
        seconds: between two looks.
    """

    def __init__(self, lister: Lister, work: Work, kinds: Iterable[Kind], pulse: Pulse, seconds: float) -> None:
        self._lister = lister
        self._work = work
        self._kinds = tuple(kinds)
        self._pulse = pulse
        self._seconds = seconds

    async def run(self) -> None:
        """Look, until cancelled; a cluster that is away is looked for again."""
        while True:
            await asyncio.sleep(self._seconds * random.uniform(0.8, 1.0))  # noqa: S311 - spreads load
            try:
                for kind in self._kinds:
                    await self.look(kind)
            except MienError as error:
                logger.warning("The cluster can't be looked at: %s", error)
            else:
                self._pulse.beat()

    async def look(self, kind: Kind) -> None:
        """Look at one kind.

        Raises:
            MienError: the cluster is away, or refuses.
        """
        # what comes into being from here on is none of those that a list may lack
        known = self._work.known(kind)
        listed = {metadata["name"]: metadata async for metadata in self._lister.metadata(kind)}
        for name, document in known.items():
            if name not in listed or listed[name]["uid"] != document["metadata"]["uid"]:
                self._work.heard(document, deleted=True)
        for name, metadata in listed.items():
            if self._work.is_news(kind, {"metadata": metadata}):
                try:
                    self._work.heard(await self._lister.get(kind, name), deleted=False)
                except Gone:
                    continue
