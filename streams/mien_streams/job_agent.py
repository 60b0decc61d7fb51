"""How an agent is written: what its work is and what is saved of it. All else is the shell's, in job_handler."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from mien_core.events import Event, Fact
from mien_core.model.platform import Job, JobError, Upload
from mien_core.ports.database import Transaction

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job that is to be done, the photo that it is about if there is one, and the event that asks for it."""

    job: Job
    upload: Upload | None
    event: Event

    @property
    def photo(self) -> Upload:
        """The upload, for agents whose jobs all have one.

        Raises:
            TypeError: the job has none: who makes such jobs has a bug.
        """
        if self.upload is None:
            raise TypeError(f"A job of kind {self.job.kind} needs an upload; {self.job.id} has none.")
        return self.upload


class JobAgent(ABC, Generic[Result]):
    """An agent whose event belongs to a job. docs/agents.md shows how to add one.

    name is the role, the consumer group and the inbox's; once it has run it never changes. takes is the fact that it
    is woken by. hop is what the job's timings call the time that its work took.
    """

    name: ClassVar[str]
    takes: ClassVar[type[Fact]]
    hop: ClassVar[str] = "work"

    @abstractmethod
    async def work(self, assignment: Assignment) -> Result:
        """Do what takes time: ask others, compute. Outside of any transaction, perhaps twice, cut off at the deadline.

        Raises:
            Rejected, Missing: there is no result and never will be: the job fails with the code and the detail.
            Unavailable: a part is away: it is tried again.
        """

    @abstractmethod
    async def save(self, transaction: Transaction, assignment: Assignment, result: Result) -> None:
        """Write the result's rows and the events that follow, in the transaction that ends the job.

        Raises:
            Rejected: nothing may be written, now or later: the job fails with the code and the detail.
            Unavailable: it is tried again.
        """

    async def fail(self, transaction: Transaction, job: Job, error: JobError) -> None:
        """Write what follows from the job's failure, in the transaction that ends it."""

    def steps(self, result: Result) -> Mapping[str, float]:  # noqa: ARG002 - for those who know more than the whole
        """Tell where the work's time went: milliseconds by step."""
        return {}
