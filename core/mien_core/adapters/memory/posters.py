"""The Movie Poster Generator's tables in memory."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from mien_core.adapters.memory import ledger
from mien_core.adapters.memory.state import State, note_user
from mien_core.errors import Conflict, Rejected
from mien_core.model.platform import WITHOUT_RESULT, Job, JobStatus
from mien_core.model.posters import (
    EntryKind,
    LedgerEntry,
    NewPayment,
    NewPoster,
    Payment,
    PaymentStatus,
    Poster,
    PosterAccount,
    PosterPosition,
    position_of,
)
from mien_core.rules.jobs import not_payable

_MICROSECOND = timedelta(microseconds=1)


class MemoryPosterAccounts:
    """Meets ports.posters.PosterAccounts."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def open(self, tenant: str, user_id: str, welcome_credits: int) -> bool:
        """See ports.posters.PosterAccounts."""
        note_user(self._state, tenant, user_id)
        owner = tenant, user_id
        if owner in self._state.poster_accounts:
            return False
        self._state.poster_accounts[owner] = PosterAccount(tenant, user_id, None, None, "free", 0, _now())
        if welcome_credits > 0:
            entry = LedgerEntry(EntryKind.WELCOME, welcome_credits, None, None, None)
            self._state.poster_ledger.append((owner, entry))
        return True

    async def describe(self, tenant: str, user_id: str, *, email: str | None, name: str | None) -> None:
        """See ports.posters.PosterAccounts."""
        owner = tenant, user_id
        account = self._state.poster_accounts[owner]
        self._state.poster_accounts[owner] = replace(account, name=name or account.name)
        if email is None:
            return
        if any(one.email == email and one.tenant == tenant and one.id != user_id for one in self._state.users.values()):
            raise Conflict("email_taken", "Another user has this email address. Use that user, or another address.")
        self._state.users[owner] = replace(self._state.users[owner], email=email)

    async def get(self, tenant: str, user_id: str) -> PosterAccount | None:
        """See ports.posters.PosterAccounts."""
        account = self._state.poster_accounts.get((tenant, user_id))
        if account is None:
            return None
        email = self._state.users[tenant, user_id].email
        return replace(account, email=email, credits=ledger.balance(self._state.poster_ledger, tenant, user_id))

    async def lock(self, tenant: str, user_id: str) -> None:
        """See ports.posters.PosterAccounts. The transaction itself is the lock."""

    async def debit(self, job: Job) -> None:
        """See ports.posters.PosterAccounts."""
        if not ledger.take(self._state.poster_ledger, job, job.redrives):
            raise Rejected("insufficient_credits", "There are not enough credits for this. Buy some with POST /pay.")

    async def check_reopening(self, job: Job) -> None:
        """See ports.posters.PosterAccounts."""
        entries = self._state.poster_ledger
        if not ledger.is_taken(entries, job) and not ledger.suffices(entries, job):
            raise not_payable()

    async def entries(self, tenant: str, user_id: str) -> list[LedgerEntry]:
        """See ports.posters.PosterAccounts."""
        return ledger.entries(self._state.poster_ledger, tenant, user_id)


class MemoryPosters:
    """Meets ports.posters.Posters."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, poster: NewPoster) -> Poster:
        """See ports.posters.Posters."""
        last = max((one.timestamp for one in self._mine(poster.tenant, poster.user_id)), default=None)
        timestamp = _now() if last is None else max(_now(), last + _MICROSECOND)
        fields = {name: getattr(poster, name) for name in NewPoster.__dataclass_fields__}
        added = Poster(**fields, timestamp=timestamp, status=JobStatus.CREATED)
        self._state.posters[poster.job_id] = added
        return self._shown(added)

    async def of_job(self, job_id: str) -> Poster | None:
        """See ports.posters.Posters."""
        poster = self._state.posters.get(job_id)
        return None if poster is None else self._shown(poster)

    async def alike(self, tenant: str, user_id: str, fingerprint: bytes, seconds: float) -> Poster | None:
        """See ports.posters.Posters."""
        oldest = _now() - timedelta(seconds=seconds)
        found = [
            one
            for one in self._mine(tenant, user_id)
            if one.fingerprint == fingerprint and one.timestamp > oldest and one.status not in WITHOUT_RESULT
        ]
        return max(found, key=position_of, default=None)

    async def of_user(self, tenant: str, user_id: str, *, after: PosterPosition | None, limit: int) -> list[Poster]:
        """See ports.posters.Posters."""
        wanted = [one for one in self._mine(tenant, user_id) if after is None or position_of(one) < after]
        return sorted(wanted, key=position_of, reverse=True)[:limit]

    def _mine(self, tenant: str, user_id: str) -> list[Poster]:
        mine = [one for one in self._state.posters.values() if (one.tenant, one.user_id) == (tenant, user_id)]
        return [self._shown(one) for one in mine]

    def _shown(self, poster: Poster) -> Poster:
        return replace(poster, status=self._state.jobs[poster.job_id].status)


class MemoryPayments:
    """Meets ports.posters.Payments."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def add(self, payment: NewPayment) -> Payment:
        """See ports.posters.Payments."""
        fields = asdict(payment)
        added = Payment(**fields, status=PaymentStatus.PENDING, provider_reference=None, created_at=_now())
        return self._state.payments.setdefault(payment.id, added)

    async def lock(self, payment_id: str) -> Payment | None:
        """See ports.posters.Payments. The transaction itself is the lock."""
        return self._state.payments.get(payment_id)

    async def settle(self, payment: Payment, status: PaymentStatus, provider_reference: str) -> Payment:
        """See ports.posters.Payments."""
        owner = payment.tenant, payment.user_id
        if status is PaymentStatus.COMPLETED:
            if payment.credits:
                ledger.buy(self._state.poster_ledger, payment)
            account = self._state.poster_accounts[owner]
            self._state.poster_accounts[owner] = replace(account, plan=payment.plan or account.plan)
        settled = replace(payment, status=status, provider_reference=provider_reference)
        self._state.payments[payment.id] = settled
        return settled


def _now() -> datetime:
    return datetime.now(UTC)
