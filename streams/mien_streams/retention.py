"""The role retention: sweeps what has expired, once an interval, and carries out runs; one process at a time."""

import logging
import time
from typing import Final

import prometheus_client
from pydantic import BaseModel, ConfigDict, Field

from mien_core.errors import Unavailable
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore
from mien_core.ports.signals import Leadership
from mien_streams.background import BackgroundRole
from mien_streams.retention_runs import RetentionRuns
from mien_streams.retry import backoff
from mien_streams.sweep import sweep

logger = logging.getLogger(__name__)

LEADING = prometheus_client.Gauge("mien_retention_leading", "1 if this process's retention is the active one.")
SWEPT_AT = prometheus_client.Gauge(
    "mien_retention_last_sweep_timestamp_seconds", "When this process's last whole sweep ended; 0 if none did."
)

LEADERSHIP: Final = "mien-retention"
# how often a standby asks whether it may take over, and the active one proves that it still is
CONFIRM_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 60.0


class RetentionSettings(BaseModel):
    """interval_seconds is from the end of one sweep to the beginning of the next."""

    model_config = ConfigDict(frozen=True)

    interval_seconds: float = Field(default=3600.0, gt=0, allow_inf_nan=False)


class Retention(BackgroundRole):
    """A role. One is active among all processes; the others stand by."""

    name = "retention"

    def __init__(self, database: Database, object_store: ObjectStore, settings: RetentionSettings) -> None:
        super().__init__()
        self._database = database
        self._object_store = object_store
        self._interval = settings.interval_seconds
        self._runs = RetentionRuns(database, object_store)

    async def _run(self) -> None:
        pauses = backoff(longest_seconds=LONGEST_PAUSE_SECONDS)
        while not self._stopping.is_set():
            try:
                async with self._database.leadership(LEADERSHIP) as leadership:
                    if leadership is None:
                        await self._pause(CONFIRM_SECONDS)
                        continue
                    LEADING.set(1)
                    logger.info("This retention is the active one")
                    while not self._stopping.is_set():
                        await self._sweep(leadership)
                        await self._runs.tidy()
                        # only a whole sweep shows that all parts are there again
                        pauses = backoff(longest_seconds=LONGEST_PAUSE_SECONDS)
                        await self._work(leadership)
            except Unavailable as error:
                logger.warning("The sweep or a run broke off and is tried again: %s", error)
                await self._pause(next(pauses))
            finally:
                LEADING.set(0)

    async def _sweep(self, leadership: Leadership) -> None:
        async def may_go_on() -> bool:
            await leadership.confirm()
            return not self._stopping.is_set()

        gone = await sweep(self._database, self._object_store, may_go_on)
        SWEPT_AT.set_to_current_time()
        logger.info("A sweep ended: %d photos went", gone, extra={"photos": gone})

    async def _work(self, leadership: Leadership) -> None:
        """Carry out runs until the interval's end; a leadership that nobody confirms would be lost meanwhile."""
        until = time.monotonic() + self._interval
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            rest = await self._advance()
            await self._pause(min(left, CONFIRM_SECONDS if rest is None else rest))
            await leadership.confirm()

    async def _advance(self) -> float | None:
        try:
            return await self._runs.advance()
        except Unavailable:
            raise
        except Exception:
            # what a run meets must not keep photos from expiring
            logger.exception("A run met a bug and is ended")
            await self._runs.fail("internal_error")
            return None
