"""The poster_accounts table."""

from typing import Any

from psycopg.errors import UniqueViolation

from mien_core.adapters.postgres import ledger
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import note_user
from mien_core.errors import Conflict, Rejected
from mien_core.model.platform import Job
from mien_core.model.posters import EntryKind, LedgerEntry, PosterAccount
from mien_core.rules.jobs import not_payable

_OPEN = """
    WITH opened AS (
        INSERT INTO poster_accounts (tenant, user_id) VALUES (%(tenant)s, %(user_id)s)
        ON CONFLICT DO NOTHING RETURNING tenant, user_id
    ), welcomed AS (
        INSERT INTO poster_ledger (tenant, user_id, kind, amount)
        SELECT tenant, user_id, 'welcome', %(credits)s FROM opened WHERE %(credits)s > 0
    )
    SELECT true AS opened FROM opened
"""
_GET = """
    SELECT account.tenant, account.user_id, users.email, account.name, account.plan, account.created_at,
           (SELECT coalesce(sum(amount), 0)::integer FROM poster_ledger AS entry
            WHERE entry.tenant = account.tenant AND entry.user_id = account.user_id) AS credits
    FROM poster_accounts AS account JOIN users ON (users.tenant, users.id) = (account.tenant, account.user_id)
    WHERE account.tenant = %s AND account.user_id = %s
"""


class PostgresPosterAccounts:
    """Meets ports.posters.PosterAccounts."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def open(self, tenant: str, user_id: str, welcome_credits: int) -> bool:
        """See ports.posters.PosterAccounts."""
        await note_user(self._statements, tenant, user_id)
        parameters = {"tenant": tenant, "user_id": user_id, "credits": welcome_credits}
        return await (await self._statements.execute(_OPEN, parameters)).fetchone() is not None

    async def describe(self, tenant: str, user_id: str, *, email: str | None, name: str | None) -> None:
        """See ports.posters.PosterAccounts."""
        await self._statements.write(
            "UPDATE poster_accounts SET name = coalesce(%s, name) WHERE tenant = %s AND user_id = %s",
            (name, tenant, user_id),
        )
        if email is None:
            return
        try:
            await self._statements.execute(
                "UPDATE users SET email = %s WHERE tenant = %s AND id = %s", (email, tenant, user_id)
            )
        except UniqueViolation as error:
            detail = "Another user has this email address. Use that user, or another address."
            raise Conflict("email_taken", detail) from error

    async def get(self, tenant: str, user_id: str) -> PosterAccount | None:
        """See ports.posters.PosterAccounts."""
        row = await (await self._statements.execute(_GET, (tenant, user_id))).fetchone()
        return PosterAccount(**row) if row else None

    async def lock(self, tenant: str, user_id: str) -> None:
        """See ports.posters.PosterAccounts."""
        await ledger.lock(self._statements, tenant, user_id)

    async def debit(self, job: Job) -> None:
        """See ports.posters.PosterAccounts."""
        if not await ledger.take(self._statements, job, job.redrives):
            raise Rejected("insufficient_credits", "There are not enough credits for this. Buy some with POST /pay.")

    async def check_reopening(self, job: Job) -> None:
        """See ports.posters.PosterAccounts."""
        if not await ledger.is_taken(self._statements, job) and not await ledger.suffices(self._statements, job):
            raise not_payable()

    async def entries(self, tenant: str, user_id: str) -> list[LedgerEntry]:
        """See ports.posters.PosterAccounts."""
        cursor = await self._statements.execute(
            "SELECT * FROM poster_ledger WHERE tenant = %s AND user_id = %s ORDER BY id", (tenant, user_id)
        )
        return [_entry(row) async for row in cursor]


def _entry(row: dict[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        kind=EntryKind(row["kind"]),
        amount=row["amount"],
        job_id=None if row["job_id"] is None else str(row["job_id"]),
        attempt=row["attempt"],
        payment_id=None if row["payment_id"] is None else str(row["payment_id"]),
    )
