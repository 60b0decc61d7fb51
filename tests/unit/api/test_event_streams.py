"""GET /jobs/{id}/events on the memory database."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from mien_api import event_stream, job_feed
from mien_api.stream_places import StreamLimits, StreamPlaces
from mien_core.adapters.memory.database import MemoryTransaction
from mien_core.adapters.memory.jobs import MemoryJobs
from mien_core.errors import Unavailable
from mien_core.model.platform import Caller, JobError, JobHistory, JobStatus
from mien_core.ports.database import Transaction
from tests.makers import new_job, new_upload
from tests.sse import events_of
from tests.unit.api.conftest import Platform
from tests.unit.api.streams import DEADLINE_SECONDS, Stream, streaming

PROCESSING, COMPLETED, FAILED = JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.FAILED


@dataclass
class Api:
    """The app as it runs, with a key of tenant acme."""

    platform: Platform
    app: FastAPI
    client: httpx.AsyncClient
    secret: str

    async def job(self, *statuses: JobStatus) -> str:
        """A job that has taken these steps."""
        async with self.platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload())
            job, _ = await transaction.jobs.create(new_job(upload))
        for status in statuses:
            await self.step(job.id, status)
        return job.id

    async def step(self, job_id: str, status: JobStatus) -> None:
        error = JobError("no_face", "There is no face.") if status is FAILED else None
        async with self.platform.database.transaction() as transaction:
            await transaction.jobs.change(job_id, status, error=error, timings={"work": 1.5} if status.ended else None)

    async def read(self, job_id: str, last_event_id: str | None = None) -> httpx.Response:
        """The whole stream of a job that has ended."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        return await self.client.get(f"/jobs/{job_id}/events", headers=headers)

    @asynccontextmanager
    async def stream(self, job_id: str, **headers: str) -> AsyncIterator[Stream]:
        async with streaming(self.app, f"/jobs/{job_id}/events", self.secret, **headers) as stream:
            yield stream


@asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[Api]:
    secret = await platform.secret()
    async with LifespanManager(platform.app()) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://mien.test", headers={"Authorization": secret}
        ) as client:
            # the manager's type is the protocol's, but it is called as the app is
            yield Api(platform, manager.app, client, secret)  # type: ignore[arg-type]


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[Api]:
    async with running(platform) as api:
        yield api


@pytest.fixture
def only_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by themselves, so what comes comes by a signal."""
    monkeypatch.setattr(job_feed, "LOOK_SECONDS", 1000.0)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at now and then is looked at all the time."""
    monkeypatch.setattr(job_feed, "LOOK_SECONDS", 0.01)


async def test_a_stream_begins_where_a_policy_has_left_something(api: Api) -> None:
    """The first steps are forgotten: the others come by their own numbers, also after an id that is gone."""
    job_id = await api.job(PROCESSING, COMPLETED)
    events = api.platform.database.state.job_events
    events[job_id] = events[job_id][1:]
    whole = events_of((await api.read(job_id)).text)
    resumed = events_of((await api.read(job_id, last_event_id="1")).text)
    assert [(event.id, event.name) for event in whole] == [(2, "processing"), (3, "completed")]
    assert resumed == whole
    assert (await api.read(job_id, last_event_id="3")).status_code == 204


async def test_a_stream_tells_every_step_and_ends_with_the_job(api: Api) -> None:
    """The id is the step's number, event its status, data the job as it was then, and at the end as it is."""
    job_id = await api.job(PROCESSING, COMPLETED)
    answer = await api.read(job_id)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert answer.text.startswith("retry: ")
    events = events_of(answer.text)
    assert [(event.id, event.name) for event in events] == [(1, "created"), (2, "processing"), (3, "completed")]
    jobs = [json.loads(event.data) for event in events]
    assert [(job["status"], len(job["steps"]), job["timings"]) for job in jobs] == [
        ("created", 1, {}),
        ("processing", 2, {}),
        ("completed", 3, {"work": 1.5}),
    ]
    assert jobs[-1] == (await api.client.get(f"/jobs/{job_id}")).json()
    assert jobs[0]["steps"][0] == jobs[-1]["steps"][0]


async def test_a_failed_job_tells_why_at_its_end_only(api: Api) -> None:
    """The error is part of the last event; steps before it had none."""
    jobs = [json.loads(event.data) for event in events_of((await api.read(await api.job(PROCESSING, FAILED))).text)]
    assert [job["error"] for job in jobs] == [None, None, {"code": "no_face", "detail": "There is no face."}]


@pytest.mark.usefixtures("only_signals")
@pytest.mark.parametrize("end", [COMPLETED, FAILED, JobStatus.CANCELLED])
async def test_the_end_comes_by_its_signal(api: Api, end: JobStatus) -> None:
    """An open stream is told at once, with the steps before it, and is over."""
    job_id = await api.job()
    async with api.stream(job_id) as stream:
        await stream.until("created")
        await api.step(job_id, PROCESSING)
        await api.step(job_id, end)
        await stream.until_ended()
    assert [event.name for event in stream.events] == ["created", "processing", end]


@pytest.mark.usefixtures("often")
async def test_a_step_that_nobody_signals_is_found(api: Api) -> None:
    """The job goes on being processed; the stream says so and stays open."""
    job_id = await api.job()
    async with api.stream(job_id) as stream:
        await stream.until("event: created")
        for number in (2, 3):
            await api.step(job_id, PROCESSING)
            await stream.until(f"id: {number}\nevent: processing")
        assert not stream.ended


@pytest.mark.usefixtures("only_signals")
async def test_an_end_between_the_look_and_the_wait_is_not_missed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job ends while the stream is being opened, just after it was read."""
    job_id = await api.job()
    read = MemoryJobs.histories

    async def read_and_end(jobs: MemoryJobs, job_ids: Sequence[str]) -> list[JobHistory]:
        found = await read(jobs, job_ids)
        monkeypatch.setattr(MemoryJobs, "histories", read)
        await api.step(job_id, COMPLETED)
        return found

    monkeypatch.setattr(MemoryJobs, "histories", read_and_end)
    async with api.stream(job_id) as stream:
        await stream.until_ended()
    assert [event.name for event in stream.events] == ["created", "completed"]


async def test_wherever_a_stream_breaks_off_the_rest_follows_once(api: Api) -> None:
    """For each cut: what came before it, and what comes after Last-Event-ID, is the whole history, each event once."""
    job_id = await api.job(PROCESSING, PROCESSING, PROCESSING, FAILED)
    async with api.platform.database.transaction() as transaction:
        await transaction.jobs.reopen(job_id, 600)
    await api.step(job_id, PROCESSING)
    await api.step(job_id, COMPLETED)
    whole = events_of((await api.read(job_id)).text)
    assert [event.id for event in whole] == list(range(1, 9))
    for cut in range(1, 8):
        assert whole[:cut] + events_of((await api.read(job_id, str(cut))).text) == whole
    answer = await api.read(job_id, "8")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.usefixtures("only_signals")
async def test_a_redriven_job_goes_on_where_it_had_failed(api: Api) -> None:
    """Whoever saw the failure comes back and sees what follows."""
    job_id = await api.job(FAILED)
    async with api.platform.database.transaction() as transaction:
        await transaction.jobs.reopen(job_id, 600)
    async with api.stream(job_id, last_event_id="2") as stream:
        await stream.until("created")
        await api.step(job_id, COMPLETED)
        await stream.until_ended()
    assert [(event.id, event.name) for event in stream.events] == [(3, "created"), (4, "completed")]


@pytest.mark.parametrize("value", ["", "0", "abc", "-1", "1.5", "3", "99", "1 2", "9" * 5000, "²", "0x1"])
async def test_an_id_that_is_not_the_streams_is_taken_for_none(api: Api, value: str) -> None:
    """An EventSource that is refused gives up for good, so it sees everything again and misses nothing."""
    answer = await api.client.get(
        f"/jobs/{await api.job(COMPLETED)}/events", headers=[(b"Last-Event-ID", value.encode("latin-1"))]
    )
    assert [event.id for event in events_of(answer.text)] == [1, 2]


async def test_a_strangers_stream_looks_as_if_there_were_none(api: Api) -> None:
    """Another tenant's, one that doesn't exist, one without a credential, and one that is no id."""
    job_id = await api.job(COMPLETED)
    other = await api.platform.secret("other")
    for path, headers, status, code in [
        (f"/jobs/{job_id}/events", {"Authorization": other}, 404, "job_not_found"),
        ("/jobs/00000000-0000-4000-8000-000000000000/events", {}, 404, "job_not_found"),
        (f"/jobs/{job_id}/events", {"Authorization": ""}, 401, "credential_missing"),
        ("/jobs/1/events", {}, 422, "invalid_request"),
    ]:
        answer = await api.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.usefixtures("often")
async def test_the_stream_of_an_erased_job_ends(api: Api) -> None:
    """Without an end of the job: the client comes back, and is told that there is none."""
    job_id = await api.job()
    async with api.stream(job_id) as stream:
        await stream.until("created")
        del api.platform.database.state.jobs[job_id], api.platform.database.state.job_events[job_id]
        await stream.until_ended()
    assert [event.name for event in stream.events] == ["created"]
    assert (await api.read(job_id)).status_code == 404


async def test_a_quiet_stream_has_heartbeats(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are comments, so that proxies keep the connection and clients see nothing."""
    monkeypatch.setattr(job_feed, "HEARTBEAT_SECONDS", 0.05)
    async with running(platform) as api, api.stream(await api.job()) as stream:
        await stream.until("\n\n:\n\n:\n\n")
        assert [event.name for event in stream.events] == ["created"]


async def test_an_old_stream_ends_so_that_its_credential_is_looked_at_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client comes back with the last id and has missed nothing."""
    monkeypatch.setattr(job_feed, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(job_feed, "LONGEST_BEATS", 2)
    async with running(platform) as api:
        async with api.stream(await api.job()) as stream:
            await stream.until_ended()
        assert [event.name for event in stream.events] == ["created"]


async def test_a_client_that_does_not_read_is_left(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is collected for it meanwhile, and its place is free again."""
    monkeypatch.setattr(event_stream, "WRITE_SECONDS", 0.05)
    platform.streams = StreamLimits(per_process=1)
    async with running(platform) as api:
        job_id = await api.job()
        before = event_stream.OVER.labels("stalled")._value.get()
        async with api.stream(job_id) as stream:
            await stream.until("created")
            stream.reading.clear()
            await api.step(job_id, COMPLETED)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await api.read(job_id)).status_code == 503:  # noqa: ASYNC110 - a place gets free when it does
                    await asyncio.sleep(0.01)
        assert [event.name for event in stream.events] == ["created"]
        assert event_stream.OVER.labels("stalled")._value.get() == before + 1


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        (StreamLimits(per_process=3), 503, "streams_full"),
        (StreamLimits(per_tenant=3), 429, "too_many_streams"),
    ],
)
async def test_there_is_room_for_so_many(platform: Platform, limits: StreamLimits, status: int, code: str) -> None:
    """One more is told when to come again; whoever leaves makes room. Other tenants have places of their own."""
    platform.streams = limits
    async with running(platform) as api, AsyncExitStack() as stack:
        job_id = await api.job()
        streams = [await stack.enter_async_context(api.stream(job_id)) for _ in range(3)]
        for stream in streams:
            await stream.until("created")
        answer = await api.read(job_id)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert int(answer.headers["Retry-After"]) >= 1
        other = await api.client.get(
            f"/jobs/{job_id}/events", headers={"Authorization": await platform.secret("other")}
        )
        assert other.status_code == (503 if status == 503 else 404)
        streams[1].left.set()
        ended = await api.job(COMPLETED)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await api.read(ended)).status_code != 200:  # noqa: ASYNC110 - a place gets free when it does
                await asyncio.sleep(0.01)


def test_a_users_places_are_their_own() -> None:
    """One user takes no more than their share of the tenant's places, and nothing is kept of who has left."""
    places = StreamPlaces(StreamLimits(per_user=1))
    with places.taken(Caller("acme", "ada")):
        with pytest.raises(Unavailable, match="too_many_streams"), places.taken(Caller("acme", "ada")):
            pass
        with places.taken(Caller("acme", "grace")), places.taken(Caller("acme", None)):
            pass
    assert not places._taken


def test_those_without_a_credential_are_told_apart_by_address() -> None:
    """All of them are one tenant's: one address leaves room for the others, and isn't mistaken for a user."""
    places = StreamPlaces(StreamLimits(per_user=1, per_address=1))
    anonymous = Caller("public", None)
    with places.taken(anonymous, "192.0.2.7"):
        with pytest.raises(Unavailable, match="too_many_streams"), places.taken(anonymous, "192.0.2.7"):
            pass
        with places.taken(anonymous, "192.0.2.8"), places.taken(Caller("public", "192.0.2.7")):
            pass
    assert not places._taken


async def test_an_address_takes_no_more_than_its_share(platform: Platform) -> None:
    """Who watches jobs without a credential is counted by address; who has one and comes from there, is not."""
    platform.streams = StreamLimits(per_address=1)
    async with running(platform) as api:
        async with platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload(tenant="public", user_id=None))
            job, _ = await transaction.jobs.create(new_job(upload))
        path = f"/jobs/{job.id}/events"
        async with streaming(api.app, path, None) as stream, streaming(api.app, path, None) as refused:
            await stream.until("created")
            await refused.until_ended()
            assert (refused.status, "too_many_streams" in refused.text) == (429, True)
            async with api.stream(await api.job()) as own:
                await own.until("created")


@dataclass
class Reads:
    """How often a repository's methods were called."""

    histories: int = 0
    moved: int = 0


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counted = Reads()
    histories, moved = MemoryJobs.histories, MemoryJobs.moved

    async def counted_histories(jobs: MemoryJobs, job_ids: Sequence[str]) -> list[JobHistory]:
        counted.histories += 1
        return await histories(jobs, job_ids)

    async def counted_moved(jobs: MemoryJobs, seen: dict[str, int]) -> list[str]:
        counted.moved += 1
        return await moved(jobs, seen)

    monkeypatch.setattr(MemoryJobs, "histories", counted_histories)
    monkeypatch.setattr(MemoryJobs, "moved", counted_moved)
    return counted


@pytest.mark.usefixtures("only_signals")
async def test_a_jobs_end_is_read_once_for_all_who_watch(api: Api, reads: Reads) -> None:
    """Forty streams, one read; the jobs that others watch aren't read at all."""
    job_id, other_id = await api.job(), await api.job()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(api.stream(job_id)) for _ in range(40)]
        other = await stack.enter_async_context(api.stream(other_id))
        for stream in [*streams, other]:
            await stream.until("created")
        before = reads.histories
        await api.step(job_id, COMPLETED)
        for stream in streams:
            await stream.until_ended()
        assert reads.histories == before + 1
        assert not other.ended


@pytest.mark.usefixtures("often")
async def test_all_jobs_are_looked_at_with_one_question(api: Api, reads: Reads) -> None:
    """Quiet streams of many jobs cost one question now and then, and without any stream there is none."""
    jobs = [await api.job() for _ in range(20)]
    async with AsyncExitStack() as stack:
        for job_id in jobs:
            await (await stack.enter_async_context(api.stream(job_id))).until("created")
        questions: list[int] = []
        moved = MemoryJobs.moved

        async def asked(repository: MemoryJobs, seen: dict[str, int]) -> list[str]:
            questions.append(len(seen))
            return await moved(repository, seen)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryJobs, "moved", asked)
            before = reads.histories
            async with asyncio.timeout(DEADLINE_SECONDS):
                while len(questions) < 3:  # noqa: ASYNC110 - the feed looks by its own clock
                    await asyncio.sleep(0.005)
        assert set(questions) == {20}
        assert reads.histories == before, "none of them moved"


@pytest.mark.usefixtures("often")
async def test_streams_outlive_a_database_that_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay open, and what happened meanwhile comes when it is back; a bug in reading is survived as well."""
    job_id = await api.job()
    troubles: list[Exception] = [Unavailable("database_unavailable", "It is away."), RuntimeError("a bug")]
    reading = api.platform.database.reading

    @asynccontextmanager
    async def away() -> AsyncIterator[Transaction]:
        if troubles:
            raise troubles.pop()
        async with reading() as transaction:
            assert isinstance(transaction, MemoryTransaction)
            yield transaction

    async with api.stream(job_id) as stream:
        await stream.until("created")
        monkeypatch.setattr(api.platform.database, "reading", away)
        await api.step(job_id, COMPLETED)
        await stream.until_ended()
    assert troubles == []
    assert [event.name for event in stream.events] == ["created", "completed"]
