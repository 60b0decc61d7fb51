"""An Amazon Bedrock for tests, which can't be reached: its Converse API as botocore's own description has it.

What isn't signed, or isn't what the API takes, is refused as AWS refuses it.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from pydantic import SecretStr

from mien_local.ports import HOST
from mien_streams.llm.bedrock import BedrockSettings

MODEL: Final = "us.anthropic.claude-test-1:0"
KEY_ID, SECRET, REGION = "AKIATEST", "not-a-secret", "eu-central-1"

_SIGNED: Final = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={KEY_ID}/\d{{8}}/{REGION}/bedrock/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)


@dataclass
class FakeBedrock:
    """Answers each request as the test chose last; requests are the bodies that it took."""

    url: str = ""
    text: str | None = "You slept well."
    stop_reason: str = "end_turn"
    error: tuple[int, str, str] | None = None
    body: bytes | None = None
    silent: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def settings(self) -> BedrockSettings:
        """Who asks it, as AWS would know them."""
        return BedrockSettings(
            model=MODEL,
            region=REGION,
            endpoint=self.url,
            access_key_id=SecretStr(KEY_ID),
            secret_access_key=SecretStr(SECRET),
        )

    async def converse(self, request: web.Request) -> web.StreamResponse:
        """POST /model/{modelId}/converse."""
        body = await request.json()
        wrong = _wrong(request, body)
        if wrong is not None:
            self.refusals.append(wrong)
            return _error(400, "ValidationException", wrong)
        self.requests.append(body)
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            return _error(*self.error)
        if self.body is not None:
            return web.Response(body=self.body, content_type="application/json")
        content = [] if self.text is None else [{"text": self.text}]
        return web.json_response(
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": self.stop_reason,
                "usage": {"inputTokens": 120, "outputTokens": 12, "totalTokens": 132},
                "metrics": {"latencyMs": 7},
            }
        )


@asynccontextmanager
async def running_bedrock() -> AsyncIterator[FakeBedrock]:
    """One that listens for as long as the block lasts."""
    bedrock = FakeBedrock()
    application = web.Application()
    application.router.add_post("/model/{model}/converse", bedrock.converse)
    # a silent answer must not hold up the end
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        bedrock.url = f"http://{HOST}:{runner.addresses[0][1]}"
        yield bedrock
    finally:
        await runner.cleanup()


def _wrong(request: web.Request, body: Any) -> str | None:
    """What the API would refuse."""
    signed = _SIGNED.fullmatch(request.headers.get("Authorization", ""))
    if signed is None or not {"host", "x-amz-date"} <= set(signed[1].split(";")) or "X-Amz-Date" not in request.headers:
        return "The request isn't signed."
    if request.match_info["model"] != MODEL:
        return f"There is no model {request.match_info['model']}."
    shape = {
        "system": [{"text": str}],
        "messages": [{"role": str, "content": [{"text": str}]}],
        "inferenceConfig": {"maxTokens": int},
    }
    return None if _shape(body) == shape else f"The body has another shape: {json.dumps(body)[:200]}"


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shape(one) for one in value]
    return type(value)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status, headers={"x-amzn-ErrorType": code})
