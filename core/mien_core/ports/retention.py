"""What retention needs of the database; database.Transaction has it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mien_core.model.objects import StoredObject
from mien_core.model.retention import Judged, RetentionRule, RuleCounts, Run, RunItem, RunRequest


class RetentionRuns(Protocol):
    """The retention_runs and retention_items tables, and the rows that they are about.

    A run's list is made once, in batches, each in one transaction with the place that the run has come to; and it is
    worked off the same way. So a run goes on where it was, whatever cut it off.
    """

    async def add(self, request: RunRequest) -> Run:
        """Note what is asked for; one that was asked for before by this id is given back as it is."""

    async def get(self, run_id: str) -> Run | None:
        """Read one."""

    async def of_policy(self, policy_id: str, before: datetime | None, limit: int) -> list[Run]:
        """A policy's runs, newest first; those that were asked for before a moment only."""

    async def next(self) -> Run | None:
        """The run that has waited longest of those that there is something to do for: to list, or to delete."""

    async def expired(self, limit: int) -> list[str]:
        """Ids of proposals that nobody may approve any more."""

    async def lock(self, run_id: str) -> Run | None:
        """Read one and keep others from changing it until the transaction ends."""

    async def save(self, run: Run) -> None:
        """Write state, reason, place, counts and times of a run; the transaction has locked it."""

    def tables(self, rule: RetentionRule) -> int:
        """In how many tables a class's rows are: the parts in which a rule about rows is listed."""

    async def total(self, run: Run, rule: int) -> int:
        """How many rows of the class there are, due or not, of the tenants that the run is about."""

    async def list_rows(self, run: Run, limit: int) -> tuple[int, str]:
        """Put the next rows that are due, in the place that the run is in, onto its list.

        Returns:
            How many, and the position of the last of them, from which it goes on. Fewer than limit: there are no more.
        """

    async def list_objects(self, run: Run, objects: Sequence[StoredObject], limit: int) -> RuleCounts:
        """Put those of the objects that are due onto the list, by the rule that the run is at, and at most limit.

        Returns:
            total: how many of them belong to the tenants that the run is about; listed and size: of those put there.
        """

    async def items(self, run_id: str, after: int, limit: int) -> list[RunItem]:
        """The list after a position, in order."""

    async def judge(self, run: Run, rule: int, limit: int) -> list[Judged]:
        """Look again at the next things of a rule on the list, in order, and keep them as they are for now.

        Whoever deletes has asked the holds to stand still first. What is due here stays so until the transaction ends:
        no work on it begins.
        """

    async def settle(self, run: Run, judged: Sequence[Judged]) -> None:
        """Delete the rows of those that are due, and note of all what became of them. Their objects are gone by now."""

    async def forget(self, ended_before: datetime, limit: int) -> int:
        """Delete the lists of runs that ended before a moment; how many things were on them."""
