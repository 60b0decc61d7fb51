"""The poster_payments table."""

from typing import Any

from mien_core.adapters.postgres import ledger
from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.posters import NewPayment, Payment, PaymentStatus

_ADD = """
    INSERT INTO poster_payments (id, tenant, user_id, pack, amount, currency, credits, plan)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING *
"""


class PostgresPayments:
    """Meets ports.posters.Payments."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, payment: NewPayment) -> Payment:
        """See ports.posters.Payments."""
        values = (
            payment.id,
            payment.tenant,
            payment.user_id,
            payment.pack,
            payment.amount,
            payment.currency,
            payment.credits,
            payment.plan,
        )
        return await self._one(_ADD, values)

    async def lock(self, payment_id: str) -> Payment | None:
        """See ports.posters.Payments."""
        cursor = await self._statements.execute(
            "SELECT * FROM poster_payments WHERE id = %s FOR NO KEY UPDATE", (as_uuid(payment_id),)
        )
        row = await cursor.fetchone()
        return _payment(row) if row else None

    async def settle(self, payment: Payment, status: PaymentStatus, provider_reference: str) -> Payment:
        """See ports.posters.Payments."""
        if status is PaymentStatus.COMPLETED:
            if payment.credits:
                await ledger.buy(self._statements, payment)
            await self._statements.write(
                "UPDATE poster_accounts SET plan = coalesce(%s, plan) WHERE tenant = %s AND user_id = %s",
                (payment.plan, payment.tenant, payment.user_id),
            )
        return await self._one(
            """
            UPDATE poster_payments SET status = %s, provider_reference = %s, updated_at = clock_timestamp()
            WHERE id = %s RETURNING *
            """,
            (status, provider_reference, as_uuid(payment.id)),
        )

    async def _one(self, statement: str, parameters: tuple[object, ...]) -> Payment:
        row = await (await self._statements.execute(statement, parameters)).fetchone()
        assert row is not None  # noqa: S101 - the row is added, or locked by the caller; tells mypy so
        return _payment(row)


def _payment(row: dict[str, Any]) -> Payment:
    return Payment(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        pack=row["pack"],
        amount=row["amount"],
        currency=row["currency"],
        credits=row["credits"],
        plan=row["plan"],
        status=PaymentStatus(row["status"]),
        provider_reference=row["provider_reference"],
        created_at=row["created_at"],
    )
