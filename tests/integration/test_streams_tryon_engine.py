"""The engine's adapter, against a server that speaks serving's protocol. How it waits is test_streams_serving's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import web

from mien_core.errors import Missing, Rejected, Unavailable
from mien_core.model.keys import photo_key, tryon_key
from mien_core.model.tryon import TryOnAnswer, TryOnRequest
from mien_core.rules.tryon import LOOKS
from mien_core.settings import ServingSettings
from mien_streams.gate import Gate
from mien_streams.tryon_engine import HttpTryOnEngine

UPLOAD_ID, JOB_ID = str(uuid4()), str(uuid4())
REQUEST = TryOnRequest(
    upload_id=UPLOAD_ID,
    photo_key=photo_key(UPLOAD_ID),
    subject="public/visitor",
    job_id=JOB_ID,
    presets=LOOKS["berry"],
)
ANSWER = TryOnAnswer(model_revision="face@sha256:0123456789ab", output_key=tryon_key(JOB_ID), timings={"paint": 12.5})


@asynccontextmanager
async def engine_that_hears(status: int, body: str) -> AsyncIterator[tuple[HttpTryOnEngine, list[TryOnRequest]]]:
    """The adapter, and what its server was asked."""
    asked: list[TryOnRequest] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(TryOnRequest.model_validate_json(await request.read()))
        return web.Response(status=status, text=body, content_type="application/json")

    application = web.Application()
    application.router.add_post("/v1/tryon", respond)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    settings = ServingSettings(url=f"http://{host}:{port}", timeout_seconds=60)
    try:
        async with HttpTryOnEngine(settings, connections=2, gate=Gate("tryon")) as engine:
            yield engine, asked
    finally:
        await runner.cleanup()


async def test_request_and_answer_survive_the_way() -> None:
    """The look goes along, to the last preset."""
    async with engine_that_hears(200, ANSWER.model_dump_json()) as (engine, asked):
        assert await engine.render(REQUEST) == ANSWER
    assert asked == [REQUEST]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(422, "no_face", Rejected), (404, "photo_not_found", Missing), (503, "revision_unavailable", Unavailable)],
)
async def test_verdicts_keep_their_words(status: int, code: str, error: type[Exception]) -> None:
    """What serving says of a photo, and of itself, comes out as one of the platform's errors."""
    body = f'{{"type": "about:blank", "status": {status}, "detail": "It is so.", "code": "{code}"}}'
    async with engine_that_hears(status, body) as (engine, _):
        with pytest.raises(error):
            await engine.render(REQUEST)


async def test_an_answer_of_another_kind_is_none() -> None:
    """As during a rollout of the platform: it is tried again later."""
    async with engine_that_hears(200, "{}") as (engine, _):
        with pytest.raises(Unavailable, match="TryOnAnswer"):
            await engine.render(REQUEST)
