"""What every adapter keeps of accounts, credits, posters and payments: the same suite against Postgres and memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from mien_core.errors import Conflict, Rejected
from mien_core.model.platform import Job, JobError, JobKind, JobStatus, NewJob
from mien_core.model.posters import (
    Design,
    EntryKind,
    LedgerEntry,
    NewPayment,
    NewPoster,
    Payment,
    PaymentStatus,
    Poster,
    PosterAccount,
    position_of,
)
from mien_core.ports.database import Database
from mien_core.rules.posters import fingerprint_of

UNKNOWN = ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "not-an-id", ""]
WHY = JobError("no_face", "There is no face.")
DESIGN = Design("Löwe's 'sea'", "A door;\n\u202e100 % \\", "drama", "noir", "2:3", None)


async def opened(database: Database, credits: int = 3, user_id: str = "anna", tenant: str = "acme") -> bool:  # noqa: A002 - the account's own word
    async with database.transaction() as transaction:
        return await transaction.poster_accounts.open(tenant, user_id, credits)


async def account(database: Database, user_id: str = "anna", tenant: str = "acme") -> PosterAccount:
    async with database.reading() as reading:
        found = await reading.poster_accounts.get(tenant, user_id)
    assert found is not None
    return found


async def entries(database: Database, user_id: str = "anna") -> list[LedgerEntry]:
    async with database.reading() as reading:
        return await reading.poster_accounts.entries("acme", user_id)


async def credits_of(database: Database, user_id: str = "anna") -> int:
    found = await account(database, user_id)
    assert found.credits == sum(entry.amount for entry in await entries(database, user_id))
    return found.credits


async def bought(database: Database, kind: JobKind = JobKind.RENDER_POSTER, user_id: str = "anna") -> Job:
    """A new job that is paid for."""
    async with database.transaction() as transaction:
        job, _ = await transaction.jobs.create(NewJob(str(uuid4()), "acme", user_id, kind, None, 600))
        await transaction.poster_accounts.debit(job)
        return job


async def ended(database: Database, job: Job, status: JobStatus) -> Job:
    async with database.transaction() as transaction:
        return await transaction.jobs.change(job.id, status, error=WHY if status is JobStatus.FAILED else None)


async def reopened(database: Database, job: Job) -> Job:
    async with database.transaction() as transaction:
        return await transaction.jobs.reopen(job.id, 600)


async def saved(database: Database, job: Job, design: Design = DESIGN) -> Poster:
    assert job.user_id is not None
    async with database.transaction() as transaction:
        return await transaction.posters.add(NewPoster(job.id, job.tenant, job.user_id, design, fingerprint_of(design)))


async def ordered(database: Database, **fields: Any) -> Payment:
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "tenant": "acme",
        "user_id": "anna",
        "pack": "starter",
        "amount": 499,
        "currency": "usd",
        "credits": 10,
        "plan": None,
    }
    async with database.transaction() as transaction:
        return await transaction.payments.add(NewPayment(**{**defaults, **fields}))


async def settled(database: Database, payment: Payment, status: PaymentStatus) -> Payment:
    async with database.transaction() as transaction:
        locked = await transaction.payments.lock(payment.id)
        assert locked is not None
        return await transaction.payments.settle(locked, status, "pi_1")


def amounts(found: Sequence[LedgerEntry]) -> list[tuple[EntryKind, int]]:
    return [(entry.kind, entry.amount) for entry in found]


async def test_an_account_is_opened_once(database: Database) -> None:
    """With its credits; a second time, also at once, changes nothing. Its user is there, in each tenant another."""
    assert await opened(database) is True
    assert await opened(database, credits=7) is False
    assert sorted(await asyncio.gather(*(opened(database, user_id="bea") for _ in range(4)))) == [False] * 3 + [True]
    assert await opened(database, credits=0, tenant="other") is True
    found = await account(database)
    assert (found.credits, found.plan, found.email, found.name) == (3, "free", None, None)
    assert (await account(database, tenant="other")).credits == 0
    assert amounts(await entries(database)) == [(EntryKind.WELCOME, 3)]
    assert await credits_of(database, "bea") == 3
    async with database.reading() as reading:
        assert await reading.users.get("acme", "anna") is not None
        assert await reading.poster_accounts.get("acme", "nobody") is None


async def test_what_is_said_of_a_user_is_noted(database: Database) -> None:
    """A name and an email; what isn't said stays. An email is one user's of a tenant, and free in another."""
    for user_id in ("anna", "bea"):
        await opened(database, user_id=user_id)
    await opened(database, tenant="other")
    async with database.transaction() as transaction:
        await transaction.poster_accounts.describe("acme", "anna", email="anna@example.org", name=None)
        await transaction.poster_accounts.describe("acme", "anna", email=None, name="Anna \u05d0")
        await transaction.poster_accounts.describe("other", "anna", email="anna@example.org", name=None)
    found = await account(database)
    assert (found.email, found.name) == ("anna@example.org", "Anna \u05d0")
    with pytest.raises(Conflict, match="email_taken"):
        async with database.transaction() as transaction:
            await transaction.poster_accounts.describe("acme", "bea", email="anna@example.org", name="Bea")
    assert (await account(database, "bea")).name is None


async def test_a_job_is_paid_for_as_long_as_there_are_credits(database: Database) -> None:
    """Each debit is an entry that names its job; with too few, nothing is taken and the job isn't made either."""
    await opened(database, credits=2)
    jobs = [await bought(database) for _ in range(2)]
    with pytest.raises(Rejected, match="insufficient_credits"):
        await bought(database)
    assert await credits_of(database) == 0
    debits = (await entries(database))[1:]
    assert [(one.kind, one.amount, one.job_id, one.attempt) for one in debits] == [
        (EntryKind.DEBIT, -1, job.id, 0) for job in jobs
    ]
    async with database.reading() as reading:
        assert (await reading.jobs.open_by_kind())[JobKind.RENDER_POSTER] == 2


async def test_at_once_nobody_spends_what_another_spent(database: Database) -> None:
    """Twelve jobs at the same moment on five credits: five are made."""
    await opened(database, credits=5)
    outcomes = await asyncio.gather(*(bought(database) for _ in range(12)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [Rejected] * 7
    assert await credits_of(database) == 0


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
async def test_what_ends_without_a_result_is_given_back(database: Database, status: JobStatus) -> None:
    """Once, in the transaction that ends the job: undone with it, and kept with it."""
    await opened(database, credits=1)
    job = await bought(database)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job.id, status, error=WHY if status is JobStatus.FAILED else None)
            raise ZeroDivisionError
    assert await credits_of(database) == 0
    await ended(database, job, status)
    with pytest.raises(Conflict, match="job_already_ended"):
        await ended(database, job, status)
    assert await credits_of(database) == 1
    assert amounts(await entries(database))[1:] == [(EntryKind.DEBIT, -1), (EntryKind.GIVE_BACK, 1)]


async def test_what_is_completed_stays_paid(database: Database) -> None:
    """Neither the work's beginning nor its result gives anything back."""
    await opened(database, credits=1)
    job = await bought(database)
    await ended(database, job, JobStatus.PROCESSING)
    await ended(database, job, JobStatus.COMPLETED)
    assert await credits_of(database) == 0


async def test_a_free_jobs_end_gives_nothing(database: Database) -> None:
    """Only what was taken is given back: not for other kinds, and not for a job that nobody paid for."""
    await opened(database, credits=1)
    for kind in (JobKind.ANALYSE_FACE, JobKind.RENDER_POSTER):
        async with database.transaction() as transaction:
            job, _ = await transaction.jobs.create(NewJob(str(uuid4()), "acme", "anna", kind, None, 600))
        await ended(database, job, JobStatus.FAILED)
    assert amounts(await entries(database)) == [(EntryKind.WELCOME, 1)]


async def test_what_begins_again_is_paid_again(database: Database) -> None:
    """A redrive takes what was given back, and its failure gives it back again, each as an attempt of its own."""
    await opened(database, credits=1)
    job = await bought(database)
    for attempt in (1, 2):
        await ended(database, job, JobStatus.FAILED)
        assert await credits_of(database) == 1
        assert (await reopened(database, job)).redrives == attempt
        assert await credits_of(database) == 0
    await ended(database, job, JobStatus.COMPLETED)
    found = (await entries(database))[1:]
    assert [(one.amount, one.attempt) for one in found] == [(-1, 0), (1, 0), (-1, 1), (1, 1), (-1, 2)]


async def test_what_nobody_can_pay_does_not_begin_again(database: Database) -> None:
    """Refused as it would be said beforehand, and everything stays as it is; with credits it goes on."""
    await opened(database, credits=1)
    job = await bought(database)
    await ended(database, job, JobStatus.FAILED)
    other = await bought(database)
    async with database.transaction() as transaction:
        with pytest.raises(Conflict, match="insufficient_credits"):
            await transaction.poster_accounts.check_reopening(job)
    with pytest.raises(Conflict, match="insufficient_credits"):
        await reopened(database, job)
    async with database.reading() as reading:
        found = await reading.jobs.get(job.id)
    assert found is not None
    assert (found.status, found.redrives) == (JobStatus.FAILED, 0)
    await ended(database, other, JobStatus.CANCELLED)
    async with database.transaction() as transaction:
        await transaction.poster_accounts.check_reopening(job)
    assert (await reopened(database, job)).status is JobStatus.CREATED
    assert await credits_of(database) == 0


async def test_what_is_still_paid_begins_again_for_nothing(database: Database) -> None:
    """A job that is begun again before it ended was never given back, so nothing is taken; its failure gives once."""
    await opened(database, credits=1)
    job = await bought(database)
    async with database.transaction() as transaction:
        await transaction.poster_accounts.check_reopening(job)
    await reopened(database, job)
    assert await credits_of(database) == 0
    await ended(database, job, JobStatus.FAILED)
    assert await credits_of(database) == 1


async def test_a_poster_comes_back_as_it_was_ordered(database: Database) -> None:
    """Every field survives; its status is its job's."""
    await opened(database)
    job = await bought(database)
    design = replace(DESIGN, upload_id=str(uuid4()))
    poster = await saved(database, job, design)
    assert (poster.design, poster.job_id, poster.status) == (design, job.id, JobStatus.CREATED)
    assert poster.fingerprint == fingerprint_of(design)
    await ended(database, job, JobStatus.COMPLETED)
    async with database.reading() as reading:
        assert await reading.posters.of_job(job.id) == replace(poster, status=JobStatus.COMPLETED)
        for unknown in UNKNOWN:
            assert await reading.posters.of_job(unknown) is None


async def test_posters_are_listed_newest_first(database: Database) -> None:
    """In pages that go on where the last one ended; each user's own, each with a timestamp of its own."""
    await opened(database, credits=5)
    await opened(database, user_id="bea")
    posters = [await saved(database, await bought(database)) for _ in range(5)]
    await saved(database, await bought(database, user_id="bea"))
    assert len({one.timestamp for one in posters}) == 5
    async with database.reading() as reading:
        first = await reading.posters.of_user("acme", "anna", after=None, limit=3)
        rest = await reading.posters.of_user("acme", "anna", after=position_of(first[-1]), limit=3)
        assert await reading.posters.of_user("other", "anna", after=None, limit=3) == []
    assert [*first, *rest] == posters[::-1]


async def test_two_posters_of_one_transaction_have_two_timestamps(database: Database) -> None:
    """Whatever the clock says: the timestamp is half of a line's name."""
    await opened(database)
    jobs = [await bought(database) for _ in range(2)]
    async with database.transaction() as transaction:
        added = [
            await transaction.posters.add(NewPoster(job.id, "acme", "anna", DESIGN, fingerprint_of(DESIGN)))
            for job in jobs
        ]
    assert added[0].timestamp < added[1].timestamp


async def test_a_poster_alike_is_found_while_it_is_young(database: Database) -> None:
    """The newest of the same design and user; not an older one, nor what failed or was cancelled."""
    await opened(database, credits=5)
    await opened(database, user_id="bea")
    print_of = fingerprint_of(DESIGN)

    async def alike(user_id: str = "anna", fingerprint: bytes = print_of, seconds: float = 3600.0) -> str | None:
        async with database.reading() as reading:
            found = await reading.posters.alike("acme", user_id, fingerprint, seconds)
        return None if found is None else found.job_id

    assert await alike() is None
    jobs = [await bought(database) for _ in range(3)]
    for job in jobs:
        await saved(database, job)
    assert await alike() == jobs[2].id
    assert await alike(user_id="bea") is None
    assert await alike(fingerprint=fingerprint_of(replace(DESIGN, aspect="1:1"))) is None
    assert await alike(seconds=0.0) is None
    await ended(database, jobs[2], JobStatus.FAILED)
    assert await alike() == jobs[1].id
    await ended(database, jobs[1], JobStatus.CANCELLED)
    assert await alike() == jobs[0].id
    await ended(database, jobs[0], JobStatus.COMPLETED)
    assert await alike() == jobs[0].id


async def test_a_payment_is_the_order_that_it_was(database: Database) -> None:
    """Pending at first; another attempt with its id gets it as it is by now."""
    await opened(database)
    payment = await ordered(database, plan="pro", credits=0)
    assert (payment.status, payment.provider_reference, payment.plan) == (PaymentStatus.PENDING, None, "pro")
    failed = await settled(database, payment, PaymentStatus.FAILED)
    assert await ordered(database, id=payment.id, plan="pro", credits=0) == failed
    async with database.transaction() as transaction:
        assert await transaction.payments.lock(payment.id) == failed
        for unknown in UNKNOWN:
            assert await transaction.payments.lock(unknown) is None


async def test_what_was_paid_for_comes_with_its_completion(database: Database) -> None:
    """Credits as an entry, a plan in the account; a failure brings neither."""
    await opened(database, credits=0)
    await settled(database, await ordered(database), PaymentStatus.FAILED)
    assert (await account(database)).credits == 0
    payment = await settled(database, await ordered(database), PaymentStatus.COMPLETED)
    assert (payment.status, payment.provider_reference) == (PaymentStatus.COMPLETED, "pi_1")
    assert await credits_of(database) == 10
    assert (await entries(database))[0].payment_id == payment.id
    assert (await account(database)).plan == "free"
    await settled(database, await ordered(database, credits=0, plan="pro"), PaymentStatus.COMPLETED)
    assert ((await account(database)).plan, await credits_of(database)) == ("pro", 10)
