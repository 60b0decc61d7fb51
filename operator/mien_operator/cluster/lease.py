"""One operator works at a time: who holds the Lease (coordination.k8s.io/v1).

Nobody's wall clock is believed. A holder is taken for gone when its lease hasn't changed for as long as the lease says,
by the clock of who looks; a holder takes itself for gone earlier, when its last renewal was begun too long ago. So even
one that stood still in between has stopped before another begins.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mien_core.errors import Conflict, MienError, Missing, Unavailable
from mien_operator.cluster.api import ClusterApi, Document
from mien_operator.interruptions import NotLeading

logger = logging.getLogger(__name__)


class Timing(BaseModel):
    """The times of an election, in seconds.

    duration: after which a silent holder is taken for gone. deadline: after which a holder that couldn't renew stops;
    the rest of duration is for what it has begun. renewal: between two renewals. attempt: between two looks of who
    stands by.
    """

    model_config = ConfigDict(frozen=True)

    duration: int = Field(default=12, ge=1)
    deadline: float = 8.0
    renewal: float = 3.0
    attempt: float = Field(default=1.5, gt=0)

    @model_validator(mode="after")
    def _one_stops_before_another_begins(self) -> Self:
        if not self.attempt < self.renewal < self.deadline < self.duration:
            raise ValueError("each must be longer than the next: duration, deadline, renewal, attempt")
        return self


class Lease:
    """A place that one process at a time holds.

    Args:
        api: the cluster.
        place: the namespace where the lease is, and what it is called there.
        identity: who asks; no two processes have the same.
        timing: see there.
        monotonic: the clock.
    """

    def __init__(
        self,
        api: ClusterApi,
        place: tuple[str, str],
        identity: str,
        timing: Timing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        namespace, self._name = place
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
        self.identity = identity
        self._timing = timing or Timing()
        self._monotonic = monotonic
        self._held_until = float("-inf")
        self._mine: Document | None = None
        self._seen_version: str | None = None
        self._seen_at = 0.0
        self.looked_at: float | None = None

    @property
    def leads(self) -> bool:
        """Whether this process may work right now."""
        return self._monotonic() < self._held_until

    def check(self) -> None:
        """Go on only while leading; asked before each step that changes something.

        Raises:
            NotLeading: it doesn't.
        """
        if not self.leads:
            raise NotLeading("The lease wasn't renewed in time.")

    async def acquire(self) -> None:
        """Wait until this process leads, also while the cluster is away."""
        while not await self._attempted():  # noqa: ASYNC110 - what is waited for happens in the cluster
            await asyncio.sleep(self._timing.attempt * random.uniform(0.7, 1.0))  # noqa: S311 - spreads load
        logger.info("leads", extra={"identity": self.identity})

    async def hold(self) -> None:
        """Renew for as long as it works.

        Raises:
            NotLeading: another holds the lease, or it couldn't be renewed in time.
        """
        while True:
            await asyncio.sleep(self._timing.renewal if self._fresh else self._timing.attempt)
            self.check()
            try:
                # a call that hangs must leave time for another one
                async with asyncio.timeout(self._timing.renewal):
                    await self._renew()
            except (TimeoutError, Unavailable) as error:
                logger.warning("The lease can't be renewed now: %s", error or "no answer in time")

    async def release(self) -> None:
        """Let another lead at once. A cluster that is away lets it wait instead."""
        mine, self._mine = self._mine, None
        leads, self._held_until = self.leads, float("-inf")
        if mine is None or not leads:
            return
        try:
            try:
                await self._give_up(mine)
            except Conflict:
                # the last renewal was broken off when its answer was on its way
                present = await self._present()
                if present is not None and present["spec"].get("holderIdentity") == self.identity:
                    await self._give_up(present)
        except MienError as error:
            logger.warning("The lease can't be released: %s", error)

    @property
    def _path(self) -> str:
        return f"{self._collection}/{quote(self._name, safe='')}"

    @property
    def _fresh(self) -> bool:
        return self._held_until - self._monotonic() > self._timing.deadline - self._timing.renewal

    async def _attempted(self) -> bool:
        began = self._monotonic()
        try:
            try:
                present = await self._api.get(self._path)
            except Missing:
                lease = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name},
                    "spec": self._spec({}),
                }
                self._take(await self._api.create(self._collection, lease), began)
                return True
            self.looked_at = self._monotonic()
            if not self._is_free(present):
                return False
            self._take(await self._api.replace(self._path, {**present, "spec": self._spec(present["spec"])}), began)
        except Conflict:
            # another was quicker
            return False
        except MienError as error:
            logger.warning("The lease can't be looked at: %s", error)
            return False
        return True

    def _is_free(self, present: Document) -> bool:
        spec = present.get("spec") or {}
        if not spec.get("holderIdentity"):
            return True
        version = present["metadata"]["resourceVersion"]
        if version != self._seen_version:
            self._seen_version, self._seen_at = version, self._monotonic()
            return False
        silent = self._monotonic() - self._seen_at
        return silent > float(spec.get("leaseDurationSeconds", self._timing.duration))

    async def _renew(self) -> None:
        mine = self._mine
        if mine is None:
            raise NotLeading("The lease was released.")
        began = self._monotonic()
        try:
            self._take(await self._api.replace(self._path, {**mine, "spec": self._spec(mine["spec"])}), began)
        except (Conflict, Missing):
            present = await self._present()
            if present is None or present["spec"].get("holderIdentity") != self.identity:
                self._held_until = float("-inf")
                raise NotLeading("Another holds the lease.") from None
            # somebody wrote a label on it, or an answer was lost on its way
            self._mine = present

    async def _give_up(self, lease: Document) -> None:
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()}
        await self._api.replace(self._path, {**lease, "spec": spec})

    async def _present(self) -> Document | None:
        try:
            return await self._api.get(self._path)
        except Missing:
            return None

    def _take(self, lease: Document, began: float) -> None:
        self._mine = lease
        self._held_until = began + self._timing.deadline
        self.looked_at = self._monotonic()

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = _micro_time()
        stays = before.get("holderIdentity") == self.identity
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._timing.duration,
            "acquireTime": before.get("acquireTime", now) if stays else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (0 if stays or not before else 1),
        }


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
