"""What may happen to a job, and what it was before."""

from dataclasses import replace

from mien_core.errors import Conflict
from mien_core.model.platform import Job, JobHistory, JobKind, JobStatus


def check_not_ended(job: Job) -> None:
    """Refuse to change a job that has ended: its first end is its only one.

    Raises:
        Conflict: job_already_ended.
    """
    if job.status.ended:
        raise Conflict("job_already_ended", f"The job is {job.status} already; that doesn't change any more.")


def check_cancellable(job: Job) -> None:
    """Refuse to stop what must not be left half done.

    Raises:
        Conflict: erasure_not_cancellable.
    """
    if job.kind is JobKind.ERASE_USER:
        raise Conflict(
            "erasure_not_cancellable", "An erasure that was asked for is carried out; it can't be cancelled."
        )


def check_reopening(job: Job) -> None:
    """Refuse to have a job begin again that has its result, or that nobody wants any more.

    Raises:
        Conflict: job_already_ended.
    """
    if job.status in {JobStatus.COMPLETED, JobStatus.CANCELLED}:
        raise Conflict("job_already_ended", f"The job is {job.status}, so there is nothing to do again.")


def not_payable() -> Conflict:
    """What is said of a job that can't begin again because its user has too few credits for it."""
    detail = "The user has no longer the credits that it costs. Have them buy some, or drop the letter."
    return Conflict("insufficient_credits", detail)


def as_of(history: JobHistory, seq: int) -> JobHistory:
    """The job as it was when it had just taken the step seq; of an error and timings only the newest are known.

    Where the step is forgotten, it is the job as it is.
    """
    steps = tuple(step for step in history.steps if step.seq <= seq)
    if seq == history.seq or not steps:
        return history
    job = replace(history.job, status=steps[-1].status, updated_at=steps[-1].at, error=None, timings={})
    return JobHistory(job, steps)
