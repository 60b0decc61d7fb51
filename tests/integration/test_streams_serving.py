"""The adapter of serving, against a server that speaks its protocol."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from aiohttp import web

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.keys import annotated_key, mask_key, photo_key, poster_key
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts, PosterAnswer, PosterRequest
from mien_core.settings import ServingSettings
from mien_core.telemetry import start_span
from mien_local.ports import unused_port
from mien_streams.breaker import FAILURES
from mien_streams.gate import Gate
from mien_streams.posters import HttpPosterEngine
from mien_streams.serving import HttpFaceAnalysis, ServingFault
from tests.makers import face_report, skin_report

DEADLINE_SECONDS = 60.0
# of serving's own silence, where that is what a test is about
SILENCE_SECONDS = 0.3
# how long one that is always refused is watched
REFUSED_SECONDS = 2.0
UPLOAD_ID = str(uuid4())
REQUEST = FaceRequest(upload_id=UPLOAD_ID, photo_key=photo_key(UPLOAD_ID), subject="acme/anna")
ANSWER = FaceAnswer(
    model_revision="face@sha256:0123456789ab",
    etag="face@sha256:0123456789ab/1",
    report=face_report(),
    skin=skin_report(),
    annotated_key=annotated_key(UPLOAD_ID),
    mask_keys={"radiance": mask_key(UPLOAD_ID, "radiance")},
    photo=PhotoFacts(width=640, height=480, pixel_digest="ab" * 32),
    timings={"decode": 12.5},
)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A server whose answer a test chooses."""

    def __init__(self) -> None:
        self.respond: Respond = self.answer
        self.requests: list[tuple[FaceRequest, str | None]] = []
        self.posters: list[PosterRequest] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the request and answer as told."""
        asked = FaceRequest.model_validate_json(await request.read())
        self.requests.append((asked, request.headers.get("traceparent")))
        return await self.respond(request)

    async def handle_poster(self, request: web.Request) -> web.StreamResponse:
        """Likewise."""
        self.posters.append(PosterRequest.model_validate_json(await request.read()))
        return await self.respond(request)

    async def listening(self, port: int) -> web.AppRunner:
        """Listen on a port; 0 is any."""
        application = web.Application()
        application.router.add_post("/v1/face", self.handle)
        application.router.add_post("/v1/poster", self.handle_poster)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    async def answer(self, _request: web.Request) -> web.StreamResponse:
        """Answer as serving does when all is well."""
        return web.Response(body=ANSWER.model_dump_json().encode(), content_type="application/json")

    def responds(self, status: int, body: str = "", **headers: str) -> None:
        """Answer all requests so."""

        async def respond(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

        self.respond = respond

    def has_problem(self, status: int, code: str, **headers: str) -> None:
        """Answer all requests with a problem."""
        self.responds(
            status, f'{{"type": "about:blank", "status": {status}, "detail": "It is so.", "code": "{code}"}}', **headers
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = await server.listening(0)
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what a server was asked has no event to wait for
            await asyncio.sleep(0.01)


@pytest.fixture
async def serving(server: Server) -> AsyncIterator[HttpFaceAnalysis]:
    settings = ServingSettings(url=server.url, timeout_seconds=DEADLINE_SECONDS)
    async with HttpFaceAnalysis(settings, connections=4, gate=Gate("serving")) as serving:
        yield serving


async def test_the_answer_comes_back_as_it_is(server: Server, serving: HttpFaceAnalysis) -> None:
    """Request and answer survive the way, and the trace goes along."""
    with start_span("test", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        assert await serving.analyse(REQUEST) == ANSWER
    [(asked, traceparent)] = server.requests
    assert asked == REQUEST
    assert traceparent is not None
    assert traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")


async def test_an_answer_that_is_there_already_is_asked_for_by_its_etag(
    server: Server, serving: HttpFaceAnalysis
) -> None:
    """The etag goes along quoted; 304 is no answer but the old one, anything else is what it always is."""
    seen: list[str | None] = []

    async def not_modified(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("If-None-Match"))
        return web.Response(status=304)

    server.respond = not_modified
    assert await serving.analyse_unless(REQUEST, ANSWER.etag) is None
    assert seen == [f'"{ANSWER.etag}"']
    with pytest.raises(Unavailable, match="serving_unavailable"):
        await serving.analyse(REQUEST)
    assert seen[1:] == [None]
    server.respond = server.answer
    assert await serving.analyse_unless(REQUEST, "another") == ANSWER
    server.has_problem(422, "no_face")
    with pytest.raises(Rejected, match="no_face"):
        await serving.analyse_unless(REQUEST, "another")


async def test_verdicts_keep_their_codes(server: Server, serving: HttpFaceAnalysis) -> None:
    """422 is Rejected and 404 is Missing, with code and detail."""
    server.has_problem(422, "no_face")
    with pytest.raises(Rejected) as rejected:
        await serving.analyse(REQUEST)
    assert (rejected.value.code, rejected.value.detail) == ("no_face", "It is so.")
    server.has_problem(404, "photo_not_found")
    with pytest.raises(Missing) as missing:
        await serving.analyse(REQUEST)
    assert missing.value.code == "photo_not_found"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, '{"code": "serving_full"}'),
        (503, '{"code": "no_revision_available"}'),
        (503, "the application is being deployed"),
        (429, ""),
        (404, "no route"),
    ],
)
async def test_what_is_not_taken_on_waits_and_is_asked_again(
    server: Server, serving: HttpFaceAnalysis, status: int, body: str
) -> None:
    """Full, or nobody there yet who could take it on: nothing is raised, so that nobody's attempt is spent."""
    server.responds(status, body)
    asking = asyncio.create_task(serving.analyse(REQUEST))
    await until(lambda: len(server.requests) >= 3)
    assert not asking.done()
    server.respond = server.answer
    assert await asking == ANSWER


async def test_serving_is_left_alone_for_as_long_as_it_says(server: Server, serving: HttpFaceAnalysis) -> None:
    """Retry-After is heeded by all who ask."""
    server.responds(503, Retry_After="0.5")
    began = asyncio.get_running_loop().time()
    first = asyncio.create_task(serving.analyse(REQUEST))
    await until(lambda: len(server.requests) == 1)
    server.respond = server.answer
    assert await serving.analyse(REQUEST) == ANSWER
    assert await first == ANSWER
    assert asyncio.get_running_loop().time() - began >= 0.5


async def test_one_that_is_always_refused_does_not_hold_up_the_others(
    server: Server, serving: HttpFaceAnalysis
) -> None:
    """It asks more and more seldom, so that the gate is open for most of the time."""
    other = REQUEST.model_copy(update={"subject": "acme/berta"})

    async def picky(request: web.Request) -> web.StreamResponse:
        asked = FaceRequest.model_validate_json(await request.read())
        return web.Response(status=503) if asked.subject == REQUEST.subject else await server.answer(request)

    server.respond = picky
    refused = asyncio.create_task(serving.analyse(REQUEST))

    def times() -> Counter[str]:
        return Counter(asked.subject for asked, _ in server.requests)

    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while asyncio.get_running_loop().time() < began + REFUSED_SECONDS or times()[REQUEST.subject] < 2:
            assert await serving.analyse(other) == ANSWER
            await asyncio.sleep(0.001)
    watched = asyncio.get_running_loop().time() - began
    assert 2 <= times()[REQUEST.subject] <= 5 * watched
    server.respond = server.answer
    assert await refused == ANSWER


@pytest.mark.parametrize(("header", "seconds"), [("2", 2.0), ("0.5", 0.5), ("86400", 30.0), ("-1", 0.0), ("soon", 0.0)])
async def test_what_was_begun_is_unavailable_for_as_long_as_serving_says(
    server: Server, serving: HttpFaceAnalysis, header: str, seconds: float
) -> None:
    """A replica that died may have died of this photo, so that it is an attempt; Retry-After counts within reason."""
    server.has_problem(503, "revision_unavailable", Retry_After=header)
    with pytest.raises(Unavailable) as caught:
        await serving.analyse(REQUEST)
    assert (caught.value.code, caught.value.retry_after) == ("serving_unavailable", seconds)


async def test_after_several_failures_nobody_asks_for_a_moment(server: Server, serving: HttpFaceAnalysis) -> None:
    """The breaker opens; the one that is let through then closes it again."""
    server.responds(500, "actor died")
    for _ in range(FAILURES):
        with pytest.raises(Unavailable):
            await serving.analyse(REQUEST)
    assert not serving.gate.passes(idle=False)
    server.respond = server.answer
    assert await serving.analyse(REQUEST) == ANSWER
    assert serving.gate.passes(idle=False)


async def test_verdicts_are_no_failures(server: Server, serving: HttpFaceAnalysis) -> None:
    """Photos without a face, and serving's own bugs, however many in a row, keep nobody from asking."""
    for status, code in ((422, "no_face"), (404, "photo_not_found"), (500, "internal_error")):
        server.has_problem(status, code)
        for _ in range(FAILURES):
            with pytest.raises((Rejected, Missing, ServingFault)):
                await serving.analyse(REQUEST)
        assert serving.gate.passes(idle=False)


@pytest.mark.parametrize(("status", "body"), [(500, "actor died"), (502, ""), (200, "{}"), (422, "[]")])
async def test_what_is_no_answer_of_ours_is_unavailable(
    server: Server, serving: HttpFaceAnalysis, status: int, body: str
) -> None:
    """A proxy's page, another version's answer: all may be well later."""
    server.responds(status, body)
    with pytest.raises(Unavailable, match="serving_unavailable"):
        await serving.analyse(REQUEST)


async def test_a_bug_in_serving_is_no_outage(server: Server, serving: HttpFaceAnalysis) -> None:
    """What serving itself calls internal_error isn't asked again."""
    server.has_problem(500, "internal_error")
    with pytest.raises(ServingFault):
        await serving.analyse(REQUEST)


async def test_silence_is_unavailable(server: Server) -> None:
    """After the timeout, though the answer never comes, and when the connection breaks without an answer."""
    go_on = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    settings = ServingSettings(url=server.url, timeout_seconds=SILENCE_SECONDS)
    async with HttpFaceAnalysis(settings, connections=4, gate=Gate("serving")) as serving:
        try:
            for respond in (hang, hang_up):
                server.respond = respond
                async with asyncio.timeout(DEADLINE_SECONDS):
                    with pytest.raises(Unavailable, match="serving_unavailable"):
                        await serving.analyse(REQUEST)
        finally:
            go_on.set()


async def test_posters_are_asked_for_in_the_same_way(server: Server) -> None:
    """At a path of their own, with the same verdicts; an answer of another shape is none."""
    job_id = str(uuid4())
    asked = PosterRequest(
        job_id=job_id,
        poster_key=poster_key(job_id),
        upload_id=None,
        title="The Sea",
        prompt="A door.",
        genre="drama",
        style="noir",
        aspect="2:3",
    )
    answer = PosterAnswer(poster_key=poster_key(job_id), engine="composer/1", width=10, height=15, timings={})
    settings = ServingSettings(url=server.url, timeout_seconds=DEADLINE_SECONDS)
    async with HttpPosterEngine(settings, connections=1, gate=Gate("posters")) as engine:
        server.responds(200, answer.model_dump_json())
        assert await engine.render(asked) == answer
        assert server.posters == [asked]
        server.has_problem(422, "not_an_image")
        with pytest.raises(Rejected, match="not_an_image"):
            await engine.render(asked)
        for status, body in ((200, "{}"), (304, "")):
            server.responds(status, body)
            with pytest.raises(Unavailable, match="serving_unavailable"):
                await engine.render(asked)


async def test_nobody_there_is_waited_for(server: Server) -> None:
    """A port on which nothing listens yet: no attempt is spent, and once serving is there it answers."""
    port = unused_port()
    settings = ServingSettings(url=f"http://127.0.0.1:{port}")
    async with HttpFaceAnalysis(settings, connections=1, gate=Gate("serving")) as serving:
        asking = asyncio.create_task(serving.analyse(REQUEST))
        await until(lambda: serving.gate.breaker.openings >= 2)
        assert not asking.done()
        runner = await server.listening(port)
        try:
            assert await asking == ANSWER
        finally:
            await runner.cleanup()
