"""Anthropic's models on Amazon Bedrock, by its Converse API."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as EndpointError
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mien_core.errors import Unavailable
from mien_core.telemetry import start_span

logger = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 3.0
# Statuses of what passes: too many requests, the model's own timeout or fault; besides all from 500 on.
_PASSING: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.FAILED_DEPENDENCY, HTTPStatus.CONFLICT}
)
# the model said all that it had to say
_FINISHED: Final = "end_turn"
# How long to wait before the next attempt of a delivery where Bedrock says nothing of it.
_RETRY_SECONDS: Final = 2.0


class BedrockSettings(BaseModel):
    """Which model writes; without one, nobody is asked.

    model is a model's or an inference profile's id. Without keys, boto3's own chain (workload identity, profile)
    applies. None as endpoint means AWS. timeout is seconds for one whole answer.
    """

    model_config = ConfigDict(frozen=True)

    model: str | None = Field(default=None, min_length=1)
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    timeout_seconds: float = Field(default=20.0, gt=0)
    most_tokens: int = Field(default=500, ge=1)


class BedrockModel:
    """Meets TextModel. Close it at the end.

    Nothing that is asked or answered reaches a log or a span.

    Args:
        settings: with a model.
        at_once: how many answers are waited for at the same time.
    """

    def __init__(self, settings: BedrockSettings, at_once: int) -> None:
        if settings.model is None:
            raise TypeError("BedrockModel needs a model; its settings name none.")
        self.name = settings.model
        self._settings = settings
        self._client = _client(settings, at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="bedrock")

    async def close(self) -> None:
        """Give back threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def answer(self, instructions: str, content: str) -> str | None:
        """See TextModel."""
        loop = asyncio.get_running_loop()
        # names of OpenTelemetry's conventions for generative AI
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self.name}
        with start_span(f"chat {self.name}", kind=SpanKind.CLIENT, **attributes) as span:
            try:
                # botocore's own timeout is for silence, and would let a slow answer take for ever
                async with asyncio.timeout(self._settings.timeout_seconds):
                    said = await loop.run_in_executor(self._threads, self._converse, instructions, content)
            except TimeoutError as error:
                raise _unavailable("is too slow") from error
            except ClientError as error:
                _check_lasting(error)
                return None
            except (NoCredentialsError, PartialCredentialsError) as error:
                logger.warning("Bedrock can't be asked without credentials: %s", type(error).__name__)
                return None
            except (EndpointError, HTTPClientError):
                # without what botocore says, here and below: it may quote what was asked or answered
                raise _unavailable("can't be reached") from None
            except BotoCoreError as error:
                logger.error("Bedrock can't be asked: %s", type(error).__name__)  # noqa: TRY400 - likewise
                return None
            usage = said.get("usage", {})
            span.set_attribute("gen_ai.usage.input_tokens", usage.get("inputTokens", 0))
            span.set_attribute("gen_ai.usage.output_tokens", usage.get("outputTokens", 0))
            span.set_attribute("gen_ai.response.finish_reasons", [str(said.get("stopReason"))])
        if "stopReason" not in said:
            raise _unavailable("answers with something else")
        return _text(said)

    def _converse(self, instructions: str, content: str) -> dict[str, Any]:
        said: dict[str, Any] = self._client.converse(
            modelId=self.name,
            system=[{"text": instructions}],
            messages=[{"role": "user", "content": [{"text": content}]}],
            inferenceConfig={"maxTokens": self._settings.most_tokens},
        )
        return said


def _check_lasting(error: ClientError) -> None:
    """Log what Bedrock says against it: somebody has to mend a setting.

    Raises:
        Unavailable: if it passes by itself.
    """
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = error.response["Error"].get("Code", "")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING:
        raise _unavailable(f"is full or failing ({code or status})") from None
    logger.error("Bedrock refuses to be asked: %s (%d)", code, status)


def _text(said: dict[str, Any]) -> str | None:
    """What was said, if it was said to its end; else it was refused, filtered or cut off."""
    if said.get("stopReason") != _FINISHED:
        logger.warning("The model's answer has no end: %s", said.get("stopReason"))
        return None
    blocks = said.get("output", {}).get("message", {}).get("content", [])
    return "".join(block.get("text", "") for block in blocks).strip() or None


def _client(settings: BedrockSettings, connections: int) -> Any:
    key_id, secret = settings.access_key_id, settings.secret_access_key
    return boto3.session.Session().client(
        "bedrock-runtime",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=key_id.get_secret_value() if key_id else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=min(_CONNECT_SECONDS, settings.timeout_seconds),
            read_timeout=settings.timeout_seconds,
            # the platform has its own retries, which hold nothing up
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=connections,
        ),
    )


def _unavailable(what: str) -> Unavailable:
    return Unavailable("bedrock_unavailable", f"The language model {what}; try again later.", _RETRY_SECONDS)
