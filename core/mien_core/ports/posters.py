"""What the Movie Poster Generator needs of the database; database.Transaction has all three.

Credits are a ledger (docs/decisions/0025): Jobs.create takes nothing, PosterAccounts.debit does; whatever ends a job
without a result (Jobs.change) gives back what was taken for it, and Jobs.reopen takes it again.
"""

from typing import Protocol

from mien_core.model.platform import Job
from mien_core.model.posters import (
    LedgerEntry,
    NewPayment,
    NewPoster,
    Payment,
    PaymentStatus,
    Poster,
    PosterAccount,
    PosterPosition,
)


class PosterAccounts(Protocol):
    """The poster_accounts and poster_ledger tables."""

    async def open(self, tenant: str, user_id: str, welcome_credits: int) -> bool:
        """Have an account from now on; True if it is new, with so many credits. Its user appears on first sight."""

    async def describe(self, tenant: str, user_id: str, *, email: str | None, name: str | None) -> None:
        """Note what somebody says of themselves; None leaves what is there.

        Raises:
            Conflict: email_taken; the transaction is of no use any more.
        """

    async def get(self, tenant: str, user_id: str) -> PosterAccount | None:
        """Read one."""

    async def lock(self, tenant: str, user_id: str) -> None:
        """Keep others from spending this user's credits until the transaction ends."""

    async def debit(self, job: Job) -> None:
        """Take what a new job costs from its user.

        Raises:
            Rejected: insufficient_credits; nothing is taken.
        """

    async def check_reopening(self, job: Job) -> None:
        """Say whether the credits suffice to have a job begin again, changing nothing.

        Raises:
            Conflict: insufficient_credits.
        """

    async def entries(self, tenant: str, user_id: str) -> list[LedgerEntry]:
        """A user's ledger, oldest first."""


class Posters(Protocol):
    """The user_poster_history table: a line for each job that makes a poster."""

    async def add(self, poster: NewPoster) -> Poster:
        """Save a line for a job that exists, with a timestamp that no other line of the user has."""

    async def of_job(self, job_id: str) -> Poster | None:
        """Read the line of a job."""

    async def alike(self, tenant: str, user_id: str, fingerprint: bytes, seconds: float) -> Poster | None:
        """The user's newest poster of this design, if it is younger than so many seconds.

        What failed or was cancelled doesn't count.
        """

    async def of_user(self, tenant: str, user_id: str, *, after: PosterPosition | None, limit: int) -> list[Poster]:
        """A user's posters, newest first, beginning after a position."""


class Payments(Protocol):
    """The poster_payments table."""

    async def add(self, payment: NewPayment) -> Payment:
        """Save an order of a user with an account. An id that was saved before is the order that it is."""

    async def lock(self, payment_id: str) -> Payment | None:
        """Read one and keep others from changing it until the transaction ends."""

    async def settle(self, payment: Payment, status: PaymentStatus, provider_reference: str) -> Payment:
        """Note what came of a locked payment; on its completion the account gets what it paid for."""
