"""What every adapter keeps of webhooks and their messages: the same suite runs against Postgres and memory."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Missing
from mien_core.model.platform import Caller, Job, JobError, JobStatus
from mien_core.model.webhooks import Delivery, Webhook, WebhookEvent, WebhookPosition, position_of
from mien_core.ports.database import Database
from mien_core.ports.signals import Channel
from mien_core.settings import PostgresSettings
from tests.makers import new_job, new_upload
from tests.webhooks import KEYS, new_webhook

MOST = 3
UNKNOWN = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
LEASE_SECONDS = 3600.0


async def registered(database: Database, **fields: Any) -> Webhook:
    async with database.transaction() as transaction:
        added = await transaction.webhooks.add(new_webhook(**fields), 1000)
    assert added is not None
    return added[0]


async def read(database: Database, webhook: Webhook) -> Webhook | None:
    async with database.reading() as reading:
        return await reading.webhooks.get(webhook.id)


async def begun(database: Database, **fields: Any) -> Job:
    """A job that is under way."""
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(**fields))
        job, _ = await transaction.jobs.create(new_job(upload))
        return await transaction.jobs.change(job.id, JobStatus.PROCESSING)


async def ended(database: Database, status: JobStatus = JobStatus.COMPLETED, **fields: Any) -> Job:
    job = await begun(database, **fields)
    error = JobError("no_face", "There is no face.") if status is JobStatus.FAILED else None
    async with database.transaction() as transaction:
        return await transaction.jobs.change(job.id, status, error=error)


async def claimed(
    database: Database,
    in_flight: Mapping[str, int] | None = None,
    *,
    limit: int = 100,
    per_webhook: int = 10,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Delivery]:
    async with database.transaction() as transaction:
        return await transaction.webhook_deliveries.claim(
            in_flight or {}, limit=limit, per_webhook=per_webhook, lease_seconds=lease_seconds
        )


async def test_a_webhook_comes_back_as_it_was_saved(database: Database) -> None:
    """Every field; its user has a row from then on; an id that is there is the webhook that it is, and no new one."""
    new = new_webhook(user_id="anna", events=frozenset({WebhookEvent.JOB_FAILED, WebhookEvent.JOB_CANCELLED}))
    async with database.transaction() as transaction:
        first = await transaction.webhooks.add(new, MOST)
    async with database.transaction() as transaction:
        again = await transaction.webhooks.add(new_webhook(id=new.id, url="https://other.example"), MOST)
        assert await transaction.users.get("acme", "anna") is not None
    assert first is not None
    webhook, is_new = first
    assert (is_new, again) == (True, (webhook, False))
    assert await read(database, webhook) == webhook
    said = {name: getattr(webhook, name) for name in new.__dataclass_fields__}
    assert said == {name: getattr(new, name) for name in new.__dataclass_fields__}
    unsaid = (webhook.previous, webhook.failing_since, webhook.disabled_at, webhook.disabled_reason)
    assert unsaid == (None, None, None, None)


async def test_an_owner_has_so_many_and_no_more(database: Database) -> None:
    """Also when they come at once. Another user, the tenant and another tenant have theirs; an id counts once."""

    async def add(**fields: Any) -> bool:
        async with database.transaction() as transaction:
            return await transaction.webhooks.add(new_webhook(**fields), MOST) is not None

    same = str(uuid4())
    assert await add(id=same, user_id="anna")
    taken = await asyncio.gather(*(add(user_id="anna") for _ in range(6)))
    assert sum(taken) == MOST - 1
    assert await add(id=same, user_id="anna")
    for owner in ({"user_id": "eve"}, {"user_id": None}, {"user_id": "anna", "tenant": "other"}):
        assert await add(**owner)


async def test_a_caller_sees_their_own_in_pages(database: Database) -> None:
    """A user those of that user, a tenant those of its users, too; newest first, from any position on."""
    of_anna = [await registered(database, user_id="anna") for _ in range(3)]
    of_tenant = [await registered(database), await registered(database, user_id="eve")]
    await registered(database, tenant="other")

    async def seen(caller: Caller, after: WebhookPosition | None = None, limit: int = 9) -> list[Webhook]:
        async with database.reading() as reading:
            return await reading.webhooks.seen_by(caller, after=after, limit=limit)

    assert await seen(Caller("acme", "anna")) == of_anna[::-1]
    assert await seen(Caller("acme", None)) == [*of_anna, *of_tenant][::-1]
    assert await seen(Caller("acme", "anna"), limit=2) == of_anna[:0:-1]
    assert await seen(Caller("acme", "anna"), after=position_of(of_anna[1])) == [of_anna[0]]
    assert await seen(Caller("acme", "nobody")) == []


@pytest.mark.parametrize("status", [status for status in JobStatus if status.ended])
async def test_an_end_is_told_to_whom_it_concerns(database: Database, status: JobStatus) -> None:
    """To the tenant's and the user's own webhooks that are for it, with the step that it was; to nobody else's."""
    event = WebhookEvent(f"job.{status}")
    of_tenant, of_user = await registered(database), await registered(database, user_id="anna", events={event})
    await registered(database, user_id="eve")
    await registered(database, tenant="other", user_id="anna")
    await registered(database, tenant="other")
    await registered(database, events=frozenset(WebhookEvent) - {event})
    job = await ended(database, status, user_id="anna")
    deliveries = await claimed(database)
    assert {delivery.webhook.id for delivery in deliveries} == {of_tenant.id, of_user.id}
    assert {(one.type, one.job_id, one.seq, one.attempt) for one in deliveries} == {(event, job.id, 3, 1)}
    assert len({delivery.id for delivery in deliveries}) == 2


async def test_a_job_of_no_user_is_told_to_the_tenant(database: Database) -> None:
    """And to none of its users."""
    of_tenant = await registered(database)
    await registered(database, user_id="anna")
    await ended(database)
    assert [delivery.webhook.id for delivery in await claimed(database)] == [of_tenant.id]


async def test_only_ends_that_last_are_told(database: Database) -> None:
    """Not what is under way, nor an end whose transaction was undone, nor what ended before the registration."""
    await ended(database)
    await registered(database)
    job = await begun(database)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.jobs.change(job.id, JobStatus.COMPLETED)
            raise ZeroDivisionError
    assert await claimed(database) == []


async def test_a_job_that_ends_again_is_told_again(database: Database) -> None:
    """After a redrive: another message, of another step."""
    await registered(database)
    job = await ended(database, JobStatus.FAILED)
    async with database.transaction() as transaction:
        await transaction.jobs.reopen(job.id, 60)
    async with database.transaction() as transaction:
        await transaction.jobs.change(job.id, JobStatus.COMPLETED)
    assert sorted((one.type, one.seq) for one in await claimed(database)) == [("job.completed", 5), ("job.failed", 3)]


async def test_messages_are_announced(database: Database) -> None:
    """An end that somebody is told of and a test wake the one who sends; an end that nobody wants to know does not."""
    async with database.subscribe(Channel.WEBHOOKS) as subscription:
        # a listener's first connection counts as a signal, since before it any may have been missed
        await subscription.wait(0.5)
        await ended(database)
        assert not await subscription.wait(0.2)
        webhook = await registered(database)
        await ended(database)
        assert await subscription.wait(30)
        async with database.transaction() as transaction:
            await transaction.webhook_deliveries.add_test(str(uuid4()), webhook.id)
        assert await subscription.wait(30)


async def test_what_was_claimed_nobody_else_gets(database: Database) -> None:
    """Until its lease is over; then it is the same message at the same attempt, in another claim."""
    await registered(database)
    await ended(database)
    [first] = await claimed(database, lease_seconds=0.0)
    [second] = await claimed(database)
    assert await claimed(database) == []
    assert (first.id, first.attempt, first.claim) == (second.id, 1, 1)
    assert (second.attempt, second.claim) == (1, 2)


async def test_many_claims_at_once_share_what_there_is(database: Database) -> None:
    """Each message goes to one of them."""
    await registered(database)
    for _ in range(12):
        await ended(database)
    parts = await asyncio.gather(*(claimed(database, limit=5) for _ in range(6)))
    ids = [delivery.id for part in parts for delivery in part]
    assert len(ids) == len(set(ids))
    ids += [delivery.id for delivery in await claimed(database)]
    assert len(ids) == len(set(ids)) == 12


async def test_one_webhook_gets_no_more_than_its_share(database: Database) -> None:
    """What is in flight counts; others get theirs all the same; of one that fails it is one at a time."""
    busy, other = await registered(database), await registered(database)
    for _ in range(6):
        await ended(database)

    def shares(deliveries: list[Delivery]) -> tuple[int, int]:
        ids = [delivery.webhook.id for delivery in deliveries]
        return ids.count(busy.id), ids.count(other.id)

    assert shares(await claimed(database, {busy.id: 2}, per_webhook=3)) == (1, 3)
    assert shares(await claimed(database, {busy.id: 3, other.id: 4}, per_webhook=3)) == (0, 0)
    async with database.transaction() as transaction:
        await transaction.webhooks.mark_failing(busy.id)
    assert shares(await claimed(database, {busy.id: 1}, per_webhook=2)) == (0, 2)
    assert shares(await claimed(database, per_webhook=2)) == (1, 1)


async def test_the_longest_overdue_are_claimed_first(database: Database) -> None:
    """Whichever webhook's they are."""
    await registered(database)
    await registered(database)
    jobs = [await ended(database) for _ in range(3)]
    told = [sorted(str(one.job_id) for one in await claimed(database, limit=2)) for _ in jobs]
    assert told == [[job.id] * 2 for job in jobs]


async def test_a_message_is_put_off_by_whoever_took_it_last(database: Database) -> None:
    """Its next attempt counts on; who took it before and comes late moves nothing, and neither does a lost one."""
    await registered(database)
    await ended(database)
    [late] = await claimed(database, lease_seconds=0.0)
    [mine] = await claimed(database)
    async with database.transaction() as transaction:
        await transaction.webhook_deliveries.put_off(late, 0.0)
    assert await claimed(database) == []
    async with database.transaction() as transaction:
        await transaction.webhook_deliveries.put_off(mine, 0.0)
    [again] = await claimed(database)
    assert (again.id, again.attempt) == (mine.id, 2)
    async with database.transaction() as transaction:
        await transaction.webhook_deliveries.put_off(again, 3600.0)
    assert await claimed(database) == []


async def test_a_message_that_arrived_is_forgotten_once(database: Database) -> None:
    """The first who says so hears that it was there."""
    await registered(database)
    await ended(database)
    [delivery] = await claimed(database, lease_seconds=0.0)
    for was_there in (True, False):
        async with database.transaction() as transaction:
            assert await transaction.webhook_deliveries.remove(delivery.id) is was_there
    assert await claimed(database) == []


async def test_failing_begins_once_and_ends_with_success(database: Database) -> None:
    """The first failure's time stays until a message was accepted."""
    webhook = await registered(database)
    for _ in range(2):
        async with database.transaction() as transaction:
            await transaction.webhooks.mark_failing(webhook.id)
    failing = await read(database, webhook)
    async with database.transaction() as transaction:
        await transaction.webhooks.mark_failing(webhook.id)
    assert failing is not None
    assert failing.failing_since is not None
    assert await read(database, webhook) == failing
    async with database.transaction() as transaction:
        await transaction.webhooks.mark_accepted(webhook.id)
    assert await read(database, webhook) == webhook


async def test_who_is_disabled_gets_nothing_any_more(database: Database) -> None:
    """What waits is forgotten and counted, once; what ends later isn't told; it is seen with the reason."""
    webhook, other = await registered(database), await registered(database)
    for _ in range(2):
        await ended(database)
    async with database.transaction() as transaction:
        assert await transaction.webhooks.disable(webhook.id, "gone") == 2
    async with database.transaction() as transaction:
        assert await transaction.webhooks.disable(webhook.id, "failing") is None
        assert await transaction.webhooks.disable(UNKNOWN, "gone") is None
    await ended(database)
    assert {delivery.webhook.id for delivery in await claimed(database)} == {other.id}
    disabled = await read(database, webhook)
    assert disabled is not None
    assert disabled.disabled_reason == "gone"
    assert disabled.disabled_at is not None


async def test_what_was_removed_is_told_nothing(database: Database) -> None:
    """It takes with it what waits for it; removing what isn't there is no error."""
    webhook, other = await registered(database), await registered(database)
    await ended(database)
    for webhook_id in (webhook.id, webhook.id, UNKNOWN, "not-an-id"):
        async with database.transaction() as transaction:
            await transaction.webhooks.remove(webhook_id)
    assert await read(database, webhook) is None
    assert [delivery.webhook.id for delivery in await claimed(database)] == [other.id]


async def test_what_is_left_over_is_tidied_away(database: Database) -> None:
    """A message that was made while its webhook went, and nothing else."""
    webhook = await registered(database)
    await ended(database)
    for webhook_id in (UNKNOWN, webhook.id):
        async with database.transaction() as transaction:
            await transaction.webhook_deliveries.add_test(str(uuid4()), webhook_id)
    async with database.reading() as reading:
        assert (await reading.webhook_deliveries.backlog()).count == 3
    for left_over in (1, 0):
        async with database.transaction() as transaction:
            assert await transaction.webhook_deliveries.tidy() == left_over
    assert len(await claimed(database)) == 2


async def test_a_test_is_asked_for_once(database: Database) -> None:
    """The same id again is the same message; it tells of no job."""
    webhook, delivery_id = await registered(database), str(uuid4())
    for _ in range(2):
        async with database.transaction() as transaction:
            await transaction.webhook_deliveries.add_test(delivery_id, webhook.id)
    [delivery] = await claimed(database)
    assert (delivery.id, delivery.type, delivery.job_id, delivery.seq) == (delivery_id, "test", None, None)
    assert delivery.webhook == webhook


async def test_a_secret_is_rotated_once_for_a_salt(database: Database) -> None:
    """The one before it counts on; the same rotation again changes nothing; another webhook keeps its own."""
    webhook, other = await registered(database), await registered(database)
    secret = KEYS.origin(str(uuid4()))
    for _ in range(2):
        async with database.transaction() as transaction:
            rotated = await transaction.webhooks.rotate(webhook.id, secret)
    assert (rotated.secret, rotated.previous) == (secret, webhook.secret)
    assert await read(database, webhook) == rotated
    assert await read(database, other) == other
    with pytest.raises(Missing, match="webhook_not_found"):
        async with database.transaction() as transaction:
            await transaction.webhooks.rotate(UNKNOWN, secret)


async def test_the_backlog_tells_how_much_and_how_late(database: Database) -> None:
    """The oldest message counts from its making, the most overdue from when its attempt was due."""

    async def backlog() -> tuple[int, bool, bool]:
        async with database.reading() as reading:
            found = await reading.webhook_deliveries.backlog()
        return found.count, found.oldest_seconds > 0, found.overdue_seconds > 0

    assert await backlog() == (0, False, False)
    await registered(database)
    await ended(database)
    assert await backlog() == (1, True, True)
    await claimed(database)
    assert await backlog() == (1, True, False)


async def test_ids_that_are_none_find_nothing(database: Database) -> None:
    """What a client made up is nobody's webhook."""
    for webhook_id in (UNKNOWN, "not-an-id", ""):
        async with database.reading() as reading:
            assert await reading.webhooks.get(webhook_id) is None


async def test_ends_that_share_a_transaction_are_each_told(fresh_database: str) -> None:
    """As in streams: those that were undone by themselves are not."""
    async with PostgresDatabase(PostgresSettings(url=SecretStr(fresh_database)), sharing=4) as database:
        await registered(database)
        jobs = [await begun(database) for _ in range(12)]

        async def end(number: int) -> None:
            async with database.transaction() as transaction:
                await transaction.jobs.change(jobs[number].id, JobStatus.COMPLETED)
                if number % 3 == 0:
                    raise ZeroDivisionError

        outcomes = await asyncio.gather(*map(end, range(12)), return_exceptions=True)
        told = {delivery.job_id for delivery in await claimed(database, per_webhook=100)}
        assert told == {job.id for job, outcome in zip(jobs, outcomes, strict=True) if outcome is None}
        assert len(told) == 8
