"""The poster_ledger table: credits come and go as rows, and nothing else ever changes a balance.

Whoever takes credits holds the account's lock from before the balance is read to the commit, so that two who come at
once don't spend the same credit. Whoever brings credits waits for nobody: a job's end must not wait for its user.
"""

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.platform import Job
from mien_core.model.posters import Payment
from mien_core.rules.posters import cost_of

# not FOR UPDATE, which rows that refer to the account would have to wait for
_LOCK = "SELECT FROM poster_accounts WHERE tenant = %s AND user_id = %s FOR NO KEY UPDATE"
_BALANCE = "(SELECT coalesce(sum(amount), 0) FROM poster_ledger WHERE tenant = %(tenant)s AND user_id = %(user_id)s)"
_TAKE = f"""
    INSERT INTO poster_ledger (tenant, user_id, kind, amount, job_id, attempt)
    SELECT %(tenant)s, %(user_id)s, 'debit', -%(cost)s::integer, %(job_id)s, %(attempt)s WHERE {_BALANCE} >= %(cost)s
    RETURNING id
"""
_SUFFICES = f"SELECT {_BALANCE} >= %(cost)s AS suffices"
_TAKEN = "SELECT coalesce(sum(amount), 0) < 0 AS taken FROM poster_ledger WHERE job_id = %s"
# what was given back before is among what is summed up, so a second time there is nothing to give
_GIVE_BACK = """
    INSERT INTO poster_ledger (tenant, user_id, kind, amount, job_id, attempt)
    SELECT tenant, user_id, 'give_back', -sum(amount), job_id, %(attempt)s
    FROM poster_ledger WHERE job_id = %(job_id)s
    GROUP BY tenant, user_id, job_id HAVING sum(amount) < 0
"""
_BUY = """
    INSERT INTO poster_ledger (tenant, user_id, kind, amount, payment_id) VALUES (%s, %s, 'purchase', %s, %s)
"""


async def lock(statements: Statements, tenant: str, user_id: str) -> None:
    """Keep others from taking credits of this account; a statement of its own, so that the next one sees theirs."""
    await statements.write(_LOCK, (tenant, user_id))


async def take(statements: Statements, job: Job, attempt: int) -> bool:
    """Take what a job costs; False, and nothing taken, if there isn't enough."""
    if job.user_id is None:
        return False
    await lock(statements, job.tenant, job.user_id)
    return await (await statements.execute(_TAKE, _parameters(job, attempt))).fetchone() is not None


async def suffices(statements: Statements, job: Job) -> bool:
    """Tell whether take would do it now."""
    row = await (await statements.execute(_SUFFICES, _parameters(job, 0))).fetchone()
    return bool(row and row["suffices"])


async def is_taken(statements: Statements, job: Job) -> bool:
    """Tell whether a job is paid for, and nothing was given back since."""
    row = await (await statements.execute(_TAKEN, (as_uuid(job.id),))).fetchone()
    return bool(row and row["taken"])


async def give_back(statements: Statements, job: Job) -> None:
    """Give back what was taken for a locked job, if anything was and it wasn't given back before."""
    if cost_of(job.kind):
        await statements.write(_GIVE_BACK, {"job_id": as_uuid(job.id), "attempt": job.redrives})


async def buy(statements: Statements, payment: Payment) -> None:
    """Credit what a payment was for; the table takes a payment once."""
    await statements.write(_BUY, (payment.tenant, payment.user_id, payment.credits, as_uuid(payment.id)))


def _parameters(job: Job, attempt: int) -> dict[str, object]:
    return {
        "tenant": job.tenant,
        "user_id": job.user_id,
        "cost": cost_of(job.kind),
        "job_id": as_uuid(job.id),
        "attempt": attempt,
    }
