"""The adapter of Amazon Bedrock, against a server that speaks its protocol."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator

import pytest

from mien_core.errors import Unavailable
from mien_local.ports import HOST, unused_port
from mien_streams.llm.bedrock import BedrockModel, BedrockSettings
from tests.bedrock import MODEL, FakeBedrock, running_bedrock

# what nobody may find in a log
PRIVATE = "I told nobody that"


@pytest.fixture
async def bedrock() -> AsyncIterator[FakeBedrock]:
    async with running_bedrock() as bedrock:
        yield bedrock


async def asked(settings: BedrockSettings) -> str | None:
    """What a model says to a private word."""
    model = BedrockModel(settings, at_once=4)
    try:
        return await model.answer("Say something kind.", PRIVATE)
    finally:
        await model.close()


async def test_a_model_is_asked_as_bedrock_takes_it(bedrock: FakeBedrock) -> None:
    """Signed, with instructions apart from what comes from users, and no tools; its words come back."""
    assert await asked(bedrock.settings) == "You slept well."
    [request] = bedrock.requests
    assert bedrock.refusals == []
    assert request["system"] == [{"text": "Say something kind."}]
    assert request["messages"] == [{"role": "user", "content": [{"text": PRIVATE}]}]
    assert request["inferenceConfig"] == {"maxTokens": 500}


async def test_many_are_asked_at_once(bedrock: FakeBedrock) -> None:
    """More than there are threads: each gets an answer."""
    model = BedrockModel(bedrock.settings, at_once=2)
    try:
        assert await asyncio.gather(*(model.answer("x", str(one)) for one in range(6))) == ["You slept well."] * 6
    finally:
        await model.close()
    assert sorted(one["messages"][0]["content"][0]["text"] for one in bedrock.requests) == list("012345")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "ThrottlingException"),
        (429, "ModelNotReadyException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
async def test_what_passes_is_tried_again_by_the_platform(bedrock: FakeBedrock, status: int, code: str) -> None:
    """Unavailable, after one request: botocore's own attempts would hold up the agent."""
    bedrock.error = (status, code, f"Wait a moment. {PRIVATE}")
    with pytest.raises(Unavailable, match=code) as away:
        await asked(bedrock.settings)
    assert (away.value.code, away.value.retry_after > 0) == ("bedrock_unavailable", True)
    assert len(bedrock.requests) == 1
    assert PRIVATE not in "".join(traceback.format_exception(away.value))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (403, "ExpiredTokenException"),
        (404, "ResourceNotFoundException"),
    ],
)
async def test_who_may_not_ask_gets_no_answer(
    bedrock: FakeBedrock, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    """Asking again wouldn't help; the log says what to mend, and nothing of what was asked."""
    bedrock.error = (status, code, f"You said {PRIVATE}")
    with caplog.at_level(logging.INFO):
        assert await asked(bedrock.settings) is None
    assert code in caplog.text
    assert PRIVATE not in caplog.text


@pytest.mark.parametrize(
    ("stop_reason", "text"),
    [
        ("max_tokens", "You slept"),
        ("content_filtered", "You"),
        ("guardrail_intervened", "I can't say that."),
        ("refusal", "I'd rather not."),
        ("tool_use", "You"),
        ("end_turn", None),
        ("end_turn", " \n "),
    ],
)
async def test_what_was_not_said_to_its_end_is_no_answer(
    bedrock: FakeBedrock, stop_reason: str, text: str | None
) -> None:
    """Cut off, filtered, refused or empty."""
    bedrock.stop_reason, bedrock.text = stop_reason, text
    assert await asked(bedrock.settings) is None


@pytest.mark.parametrize("body", [f"<html>{PRIVATE}", "{}", '{"message": "fine"}', ""])
async def test_what_is_no_answer_of_bedrocks_is_away(bedrock: FakeBedrock, body: str) -> None:
    """A proxy's page, which might quote anything."""
    bedrock.body = body.encode()
    with pytest.raises(Unavailable, match="bedrock_unavailable") as away:
        await asked(bedrock.settings)
    assert PRIVATE not in "".join(traceback.format_exception(away.value))


async def test_silence_has_an_end(bedrock: FakeBedrock) -> None:
    """The setting says when; 20 s if it doesn't."""
    assert bedrock.settings.timeout_seconds == 20.0
    bedrock.silent = True
    with pytest.raises(Unavailable, match="bedrock_unavailable"):
        await asked(bedrock.settings.model_copy(update={"timeout_seconds": 0.2}))


async def test_nobody_there_is_away() -> None:
    """As while a network is down."""
    settings = FakeBedrock(url=f"http://{HOST}:{unused_port()}").settings
    with pytest.raises(Unavailable, match="bedrock_unavailable"):
        await asked(settings)


async def test_without_credentials_nobody_is_asked(bedrock: FakeBedrock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer, instead of a job that fails again and again."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings = BedrockSettings(model=MODEL, endpoint=bedrock.url)
    assert await asked(settings) is None
    assert (bedrock.requests, bedrock.refusals) == ([], [])


def test_a_model_must_be_named() -> None:
    """Who makes one without has a bug."""
    with pytest.raises(TypeError, match="needs a model"):
        BedrockModel(BedrockSettings(), at_once=1)
