"""The poster_ledger table in memory: each entry beside its tenant and user."""

from mien_core.model.platform import Job
from mien_core.model.posters import EntryKind, LedgerEntry, Payment
from mien_core.rules.posters import cost_of

Ledger = list[tuple[tuple[str, str], LedgerEntry]]


def entries(ledger: Ledger, tenant: str, user_id: str) -> list[LedgerEntry]:
    """A user's, oldest first."""
    return [entry for owner, entry in ledger if owner == (tenant, user_id)]


def balance(ledger: Ledger, tenant: str, user_id: str) -> int:
    """What a user may spend."""
    return sum(entry.amount for entry in entries(ledger, tenant, user_id))


def is_taken(ledger: Ledger, job: Job) -> bool:
    """Tell whether a job is paid for, and nothing was given back since."""
    return _net(ledger, job) < 0


def suffices(ledger: Ledger, job: Job) -> bool:
    """Tell whether a job's user can pay for it."""
    return job.user_id is not None and balance(ledger, job.tenant, job.user_id) >= cost_of(job.kind)


def take(ledger: Ledger, job: Job, attempt: int) -> bool:
    """Take what a job costs; False, and nothing taken, if there isn't enough."""
    if not suffices(ledger, job):
        return False
    _write(ledger, job, LedgerEntry(EntryKind.DEBIT, -cost_of(job.kind), job.id, attempt, None))
    return True


def give_back(ledger: Ledger, job: Job) -> None:
    """Give back what was taken for a job, if anything was and it wasn't given back before."""
    if is_taken(ledger, job):
        _write(ledger, job, LedgerEntry(EntryKind.GIVE_BACK, -_net(ledger, job), job.id, job.redrives, None))


def buy(ledger: Ledger, payment: Payment) -> None:
    """Credit what a payment was for."""
    entry = LedgerEntry(EntryKind.PURCHASE, payment.credits, None, None, payment.id)
    ledger.append(((payment.tenant, payment.user_id), entry))


def _net(ledger: Ledger, job: Job) -> int:
    return sum(entry.amount for _, entry in ledger if entry.job_id == job.id)


def _write(ledger: Ledger, job: Job, entry: LedgerEntry) -> None:
    if job.user_id is not None:
        ledger.append(((job.tenant, job.user_id), entry))
