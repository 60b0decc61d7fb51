"""The ledger of credits under any order of orders, failures, cancellations, redrives and payments."""

import asyncio
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Conflict, Rejected
from mien_core.model.platform import Job, JobError, JobKind, JobStatus, NewJob
from mien_core.model.posters import EntryKind, LedgerEntry, NewPayment, PaymentStatus

WELCOME = 2
BOUGHT = 3
WHY = JobError("internal_error", "It failed.")

# what happens, and to the how many-th job or payment
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["order", "complete", "fail", "cancel", "redrive", "pay", "pay twice", "pay in vain"]),
        st.integers(0, 3),
    ),
    max_size=30,
)


class Shop:
    """A user's jobs and payments, and what a balance must be by simple counting."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.jobs: list[str] = []
        self.expected = WELCOME

    async def open(self) -> None:
        async with self.database.transaction() as transaction:
            await transaction.poster_accounts.open("acme", "anna", WELCOME)

    async def order(self) -> None:
        new_job = NewJob(str(uuid4()), "acme", "anna", JobKind.RENDER_POSTER, None, 600)
        try:
            async with self.database.transaction() as transaction:
                job, _ = await transaction.jobs.create(new_job)
                await transaction.poster_accounts.debit(job)
        except Rejected:
            assert self.expected == 0
        else:
            self.jobs.append(job.id)
            self.expected -= 1

    async def end(self, job_id: str, status: JobStatus) -> None:
        try:
            async with self.database.transaction() as transaction:
                await transaction.jobs.change(job_id, status, error=WHY if status is JobStatus.FAILED else None)
        except Conflict:
            return
        self.expected += status is not JobStatus.COMPLETED

    async def redrive(self, job_id: str) -> None:
        before = await self.job(job_id)
        refused: str | None
        try:
            async with self.database.transaction() as transaction:
                await transaction.jobs.reopen(job_id, 600)
        except Conflict as conflict:
            refused = conflict.code
        else:
            refused = None
            self.expected -= before.status is JobStatus.FAILED
        if before.status in {JobStatus.COMPLETED, JobStatus.CANCELLED}:
            assert refused == "job_already_ended"
        elif refused is not None:
            assert (refused, self.expected) == ("insufficient_credits", 0)

    async def pay(self, *statuses: PaymentStatus) -> None:
        payment_id = str(uuid4())
        async with self.database.transaction() as transaction:
            order = NewPayment(payment_id, "acme", "anna", "pack", 499, "usd", BOUGHT, None)
            payment = await transaction.payments.add(order)
        for status in statuses:
            async with self.database.transaction() as transaction:
                payment = await transaction.payments.settle(payment, status, "pi")
        self.expected += BOUGHT * statuses.count(PaymentStatus.COMPLETED)

    async def job(self, job_id: str) -> Job:
        async with self.database.reading() as reading:
            job = await reading.jobs.get(job_id)
        assert job is not None
        return job

    async def entries(self) -> list[LedgerEntry]:
        async with self.database.reading() as reading:
            account = await reading.poster_accounts.get("acme", "anna")
            entries = await reading.poster_accounts.entries("acme", "anna")
        assert account is not None
        assert account.credits == sum(entry.amount for entry in entries) == self.expected
        return entries

    async def do(self, deed: str, which: int) -> None:
        ends = {"complete": JobStatus.COMPLETED, "fail": JobStatus.FAILED, "cancel": JobStatus.CANCELLED}
        if deed == "order":
            await self.order()
        elif deed.startswith("pay"):
            words = {"pay": ["completed"], "pay twice": ["failed", "completed"], "pay in vain": ["failed"]}
            await self.pay(*(PaymentStatus(word) for word in words[deed]))
        elif self.jobs and deed == "redrive":
            await self.redrive(self.jobs[which % len(self.jobs)])
        elif self.jobs:
            await self.end(self.jobs[which % len(self.jobs)], ends[deed])


@settings(max_examples=150)
@given(DEEDS)
def test_the_ledger_adds_up_whatever_happens(deeds: list[tuple[str, int]]) -> None:
    """The balance is the sum and what simple counting says, never negative, also at no moment of its history.

    Of each attempt at a job there is one debit at most, and one give-back at most, which never comes before.
    """

    async def play() -> None:
        shop = Shop()
        await shop.open()
        for deed, which in deeds:
            await shop.do(deed, which)
            entries = await shop.entries()
            assert all(sum(entry.amount for entry in entries[:count]) >= 0 for count in range(len(entries)))
        of_jobs = [entry for entry in await shop.entries() if entry.job_id is not None]
        names = [(entry.job_id, entry.attempt, entry.kind) for entry in of_jobs]
        assert len(set(names)) == len(names)
        for job_id in shop.jobs:
            job = await shop.job(job_id)
            mine = [entry.kind for entry in of_jobs if entry.job_id == job_id]
            without_result = job.status in {JobStatus.FAILED, JobStatus.CANCELLED}
            assert mine == ([EntryKind.DEBIT, EntryKind.GIVE_BACK] * len(mine))[: len(mine)]
            assert (mine[-1] is EntryKind.GIVE_BACK) == without_result

    asyncio.run(play())
