"""What a user's rights need of the database; database.Transaction has all three."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from mien_core.model.privacy import Certificate, Deleted, Erasure, ErasureRequest, Media, Person, PersonalRow


class PersonalData(Protocol):
    """All that the tables hold about a user: those of mien_core.model.personal_data, and no other."""

    async def rows(self, table: str, person: Person, after: str, limit: int) -> list[PersonalRow]:
        """A user's rows of a table, beginning after a position, which is "" for the first."""

    async def media(self, person: Person, after: str, limit: int, late_seconds: float = 0) -> list[Media]:
        """A user's uploads and jobs, beginning after a position.

        Args:
            person: whose.
            after: a Media.position, or "" for the first.
            limit: how many at most.
            late_seconds: objects may come for so long after the upload was announced or one of its jobs last moved.
        """

    async def open_jobs(self, person: Person, limit: int) -> list[str]:
        """Ids of the user's jobs that have not ended."""

    async def remove_media(self, person: Person, media: Collection[Media]) -> Mapping[str, int]:
        """Delete the user's uploads and jobs of these, with all that refers to them or names their ids.

        Gives how many rows of which tables. Delete their objects first: afterwards nothing knows of them.
        """

    async def remove_rows(self, person: Person, limit: int) -> Mapping[str, int]:
        """Delete some of the user's rows that go by themselves; how many of which table. Nothing means none."""

    async def remaining(self, person: Person) -> Mapping[str, int]:
        """How many rows there are about the user, by table, the user's own apart; tables without any are left out."""

    async def remove_user(self, person: Person) -> None:
        """Delete the user's own row, when nothing refers to it any more; who is about to write something is waited for.

        Raises:
            Unavailable: erasure_incomplete, if something does.
        """


class Erasures(Protocol):
    """The erasures table, and what may come late of what was erased.

    While a user's erasure is open, everything that would note the user raises Conflict (erasure_in_progress).
    """

    async def begin(self, job_id: str, person: Person) -> Erasure:
        """Open the user's erasure under the id of its job; if one is open or has this id, give that back."""

    async def get(self, job_id: str) -> Erasure | None:
        """Read one."""

    async def end(self, job_id: str) -> None:
        """Forget whom it was about; the user may be written about again."""

    async def count(self, job_id: str, deleted: Deleted) -> None:
        """Add what this transaction has deleted to what was before."""

    async def counts(self, job_id: str) -> Deleted:
        """How much was deleted so far, by all attempts."""

    async def certify(self, job_id: str, pseudonym: str, document: str) -> None:
        """Keep what proves an erasure; the first one counts."""

    async def certificate(self, job_id: str) -> Certificate | None:
        """Read what proves an erasure."""

    async def watch(self, job_id: str, prefixes: Sequence[str], seconds: float) -> None:
        """Note that objects may come under these prefixes during so many seconds, though they were erased."""

    async def watched(self, job_id: str, limit: int) -> list[str]:
        """Prefixes that are to be looked at again."""

    async def unwatch(self, job_id: str, prefixes: Collection[str]) -> None:
        """Forget prefixes that were looked at."""

    async def seconds_watched(self, job_id: str) -> float:
        """For how long objects may still come; 0 if none may."""


class ErasureRequests(Protocol):
    """The erasure_requests table: what operators asked for, and the job that does it."""

    async def ask(self, request_id: str, person: Person, requested_by: str) -> ErasureRequest:
        """Have a request of this id, and keep others from changing it until the transaction ends.

        Raises:
            Conflict: request_differs, if the id is that of one about somebody else.
        """

    async def get(self, request_id: str) -> ErasureRequest | None:
        """Read one."""

    async def give(self, request_id: str, job_id: str) -> None:
        """Note the job that does it from now on."""
