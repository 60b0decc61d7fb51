"""The jobs and their steps."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mien_core.model.platform import Job, JobError, JobEvent, JobHistory, JobKind, JobStatus, NewJob


class Jobs(Protocol):
    """The jobs and job_events tables. Every end is announced on Channel.JOB_ENDS after the commit.

    An end also becomes a message for each webhook that is for it, in the same transaction.
    """

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """Create the job; if there is one of this kind for its upload, or with its id, give that back and False.

        A job without an upload has its user appear on first sight.
        """

    async def get(self, job_id: str) -> Job | None:
        """Read one."""

    async def of_upload(self, kind: JobKind, upload_id: str) -> Job | None:
        """Read the one job of this kind for this upload."""

    async def open_by_kind(self) -> Mapping[JobKind, int]:
        """Count the jobs that have not ended, by kind; a kind without any may be left out."""

    async def lock(self, job_id: str) -> Job | None:
        """Read one and keep others from changing it until the transaction ends."""

    async def change(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error: JobError | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> Job:
        """Move a job to another status and record the step as its next job event; timings are added to its own.

        What its user paid for a job that ends without a result is given back.

        Raises:
            Missing: job_not_found.
            Conflict: job_already_ended; the end of a job never changes.
        """

    async def reopen(self, job_id: str, deadline_seconds: int) -> Job:
        """Have a job begin again, as created, with another deadline_seconds and without its error and timings.

        The way out of failed, for people only; it is recorded as the next job event and counted in redrives. What was
        given back for it is taken again.

        Raises:
            Missing: job_not_found.
            Conflict: job_already_ended, if it was completed or cancelled; insufficient_credits.
        """

    async def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """The steps after after_seq, in order."""

    async def histories(self, job_ids: Sequence[str]) -> list[JobHistory]:
        """Read jobs with all their steps, each as of one moment, in no order; those that don't exist are left out."""

    async def moved(self, seen: Mapping[str, int]) -> list[str]:
        """Of these jobs, each with the seq of the last step known of it, those with another last step, or gone."""
