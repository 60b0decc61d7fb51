"""What is said to a webhook, how it is signed, and when it is said again.

After the Standard Webhooks specification (https://www.standardwebhooks.com), version 1: headers, signature, secrets and
the pauses between attempts.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from mien_core.errors import Unavailable
from mien_core.model.platform import Job, JobHistory, JobKind, JobStatus, Upload
from mien_core.model.webhooks import SecretOrigin, WebhookEvent

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with is none

# How long after each attempt that failed the next one is due; there is none after the last.
DELAYS_SECONDS: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
ATTEMPTS: Final = 1 + len(DELAYS_SECONDS)
# a delay is up to this much longer: those who failed together must not come back together
JITTER: Final = 0.2
LONGEST_ADVICE_SECONDS: Final = 86_400.0
# A webhook that has accepted nothing for so long is disabled when one of its messages has had all its attempts, which
# is three days and four hours after the first of them.
DISABLED_AFTER: Final = timedelta(days=3)

_EVENT_OF_END: Final = {
    JobStatus.COMPLETED: WebhookEvent.JOB_COMPLETED,
    JobStatus.FAILED: WebhookEvent.JOB_FAILED,
    JobStatus.CANCELLED: WebhookEvent.JOB_CANCELLED,
}
# the applications whose JSON is in snake_case, by what a photo was announced for, or by the work itself
_SNAKE_CASE_PURPOSES: Final = frozenset({"skin", "poster", "tryon"})
_SNAKE_CASE_KINDS: Final = frozenset({JobKind.RENDER_POSTER})


class Verdict(StrEnum):
    """What an answer means: the message has arrived, is to be sent again, or nothing is to be sent there any more."""

    ACCEPTED = "accepted"
    AGAIN = "again"
    GONE = "gone"


def event_of(end: JobStatus) -> WebhookEvent:
    """The event that a job's end is.

    Raises:
        KeyError: it is no end.
    """
    return _EVENT_OF_END[end]


def verdict_on(status: int) -> Verdict:
    """Judge an HTTP status. A redirect isn't followed: the address that was registered is the one that was checked."""
    if status == HTTPStatus.GONE:
        return Verdict.GONE
    return Verdict.ACCEPTED if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else Verdict.AGAIN


def delay_after(attempt: int, luck: float, advised: float = 0.0) -> float | None:
    """How many seconds to wait before the next attempt; None if that was the last one.

    Args:
        attempt: which one failed; the first is 1.
        luck: a random number in [0, 1) that spreads the delays.
        advised: what the answer asked for by Retry-After, as seconds_advised reads it.
    """
    if attempt >= ATTEMPTS:
        return None
    return max(DELAYS_SECONDS[attempt - 1], advised) * (1 + JITTER * luck)


def seconds_advised(retry_after: str | None, now: datetime) -> float:
    """Read a Retry-After header in either of its forms (RFC 9110 section 10.2.3): at most a day; 0 if it is none."""
    if retry_after is None:
        return 0.0
    try:
        # not by int: what has hundreds of digits is a long time, too
        seconds = float(retry_after) if retry_after.isdecimal() else _until(retry_after, now)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_ADVICE_SECONDS)


def is_hopeless(failing_since: datetime | None, now: datetime) -> bool:
    """Tell whether a webhook with a message that had all its attempts is to be disabled."""
    return failing_since is not None and now - failing_since >= DISABLED_AFTER


def key_id_of(key: str) -> str:
    """Name a key of the platform without telling anything of it."""
    return hmac.digest(key.encode(), b"webhooks: id", "sha256").hex()[:16]


class SecretKeys:
    """Makes the webhooks' secrets out of the platform's keys, so that none has to be kept anywhere.

    Args:
        current: what new secrets are made of.
        older: what secrets were made of before that are still in use.
    """

    def __init__(self, current: str, older: Sequence[str] = ()) -> None:
        self._current = key_id_of(current)
        self._keys = {key_id_of(key): key.encode() for key in (*older, current)}

    def origin(self, salt: str) -> SecretOrigin:
        """A secret of the current key; another UUID as salt is another secret."""
        return SecretOrigin(self._current, salt)

    def secret(self, origin: SecretOrigin) -> bytes:
        """The 32 bytes that sign.

        Raises:
            Unavailable: webhook_key_missing, if the key isn't among those given.
        """
        key = self._keys.get(origin.key_id)
        if key is None:
            detail = f"The key {origin.key_id} that webhooks' secrets were made with is not set any more. Set it again."
            raise Unavailable("webhook_key_missing", detail)
        return hmac.digest(key, f"webhooks: secret\n{origin.salt}".encode(), hashlib.sha256)

    def shown(self, origin: SecretOrigin) -> str:
        """The secret as its owner is shown it, once.

        Raises:
            Unavailable: webhook_key_missing.
        """
        return SECRET_PREFIX + base64.b64encode(self.secret(origin)).decode()


def headers_of(message_id: str, body: bytes, secrets: Sequence[bytes], now: float) -> dict[str, str]:
    """The headers that identify and sign a message.

    Args:
        message_id: the same for each attempt at it.
        body: to the byte as it is sent.
        secrets: one, or two while one follows the other.
        now: seconds since 1970, of this attempt.
    """
    timestamp = str(int(now))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def body_of(event_type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """A message: what happened, when, and what is known of it."""
    return to_json({"type": event_type, "timestamp": at, "data": data})


def job_data(history: JobHistory, upload: Upload | None) -> dict[str, Any]:
    """A job as GET /jobs/{id} shows it, in the style of the application to which it belongs.

    Args:
        history: the job, as of the step that is told.
        upload: the job's photo, if there is one: it tells the application.
    """
    job = history.job
    data = {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "upload_id": job.upload_id,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "error": None if job.error is None else {"code": job.error.code, "detail": job.error.detail},
        "timings": job.timings,
        "steps": [{"seq": step.seq, "status": step.status, "at": step.at} for step in history.steps],
    }
    return data if _is_snake_case(job, upload) else {to_camel(name): value for name, value in data.items()}


def _is_snake_case(job: Job, upload: Upload | None) -> bool:
    return job.kind in _SNAKE_CASE_KINDS or (upload is not None and upload.purpose in _SNAKE_CASE_PURPOSES)


def _until(date: str, now: datetime) -> float:
    at = parsedate_to_datetime(date)
    # a date without its zone means the same as with it
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
