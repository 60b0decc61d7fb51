"""What is said to webhooks and how it is signed, held against the specification's own library."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from mien_core.errors import Unavailable
from mien_core.model.platform import JobStatus
from mien_core.model.webhooks import WebhookEvent
from mien_core.rules.webhooks import (
    ATTEMPTS,
    DELAYS_SECONDS,
    JITTER,
    LONGEST_ADVICE_SECONDS,
    SecretKeys,
    Verdict,
    body_of,
    delay_after,
    event_of,
    headers_of,
    is_hopeless,
    seconds_advised,
    verdict_on,
)

KEY, OTHER_KEY = "k" * 32, "o" * 32
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
BODY = body_of("job.completed", NOW, {"id": "5d0c", "error": None})


def now() -> float:
    return datetime.now(UTC).timestamp()


def test_the_specifications_library_verifies_a_message() -> None:
    """With the secret as its owner was shown it; and not with another one, nor with one byte changed."""
    keys = SecretKeys(KEY)
    origin = keys.origin(str(uuid4()))
    headers = headers_of("message", BODY, [keys.secret(origin)], now())
    assert Verifier(keys.shown(origin)).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Verifier(keys.shown(keys.origin(str(uuid4())))).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(keys.shown(origin)).verify(BODY.replace(b"5d0c", b"5d0d"), headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(keys.shown(origin)).verify(BODY, {**headers, "webhook-id": "another"})


def test_while_a_secret_is_rotated_both_verify() -> None:
    """A receiver that has the new one already, and one that has the old one still."""
    keys = SecretKeys(KEY)
    old, new = keys.origin(str(uuid4())), keys.origin(str(uuid4()))
    headers = headers_of("message", BODY, [keys.secret(new), keys.secret(old)], now())
    for origin in (old, new):
        Verifier(keys.shown(origin)).verify(BODY, headers)


def test_secrets_are_as_long_as_the_specification_wants_and_all_different() -> None:
    """whsec_ and 32 bytes in base64; another salt or another key is another secret, the same ones the same."""
    keys, others = SecretKeys(KEY), SecretKeys(OTHER_KEY)
    salts = [str(uuid4()) for _ in range(50)]
    shown = {made.shown(made.origin(salt)) for made in (keys, others) for salt in salts}
    assert len(shown) == 100
    assert all(len(base64.b64decode(one.removeprefix("whsec_"))) == 32 for one in shown)
    assert SecretKeys(KEY).shown(keys.origin(salts[0])) == keys.shown(keys.origin(salts[0]))


def test_a_key_can_be_changed_and_its_secrets_stay() -> None:
    """What the older key made signs on; without it nothing is signed, and the detail names the key and not its text."""
    origin = SecretKeys(KEY).origin(str(uuid4()))
    changed = SecretKeys(OTHER_KEY, [KEY])
    assert changed.secret(origin) == SecretKeys(KEY).secret(origin)
    assert changed.origin(origin.salt).key_id != origin.key_id
    with pytest.raises(Unavailable, match=origin.key_id) as raised:
        SecretKeys(OTHER_KEY).secret(origin)
    assert raised.value.code == "webhook_key_missing"
    assert KEY not in raised.value.detail


def test_every_end_is_an_event_and_nothing_else_is() -> None:
    """job.processing is none: a webhook is told of ends."""
    assert {event_of(status) for status in JobStatus if status.ended} == set(WebhookEvent)
    for status in JobStatus:
        if not status.ended:
            with pytest.raises(KeyError):
                event_of(status)


def test_only_2xx_is_accepted_and_410_ends_it() -> None:
    """A redirect is not followed, so it is as good as an error."""
    assert {status for status in range(100, 600) if verdict_on(status) is Verdict.ACCEPTED} == set(range(200, 300))
    assert {status for status in range(100, 600) if verdict_on(status) is Verdict.GONE} == {410}


@given(luck=st.floats(0, 1, exclude_max=True))
def test_attempts_follow_the_specifications_schedule(luck: float) -> None:
    """5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each up to a fifth longer; then no more."""
    delays = [delay_after(attempt, luck) for attempt in range(1, ATTEMPTS)]
    for delay, planned in zip(delays, DELAYS_SECONDS, strict=True):
        assert delay is not None
        assert planned <= delay <= planned * (1 + JITTER)
    assert [hours * 3600 for hours in (2, 5, 10, 14, 20, 24)] == list(DELAYS_SECONDS[3:])
    assert delay_after(ATTEMPTS, luck) is None


def test_an_answer_may_ask_for_more_time_and_not_for_less() -> None:
    """Retry-After moves the next attempt back, never forward, and gives no attempt more than there are."""
    assert delay_after(1, 0.0, advised=120.0) == 120.0
    assert delay_after(2, 0.0, advised=1.0) == DELAYS_SECONDS[1]
    assert delay_after(ATTEMPTS, 0.0, advised=120.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("120", 120.0),
        ("Sat, 21 Nov 2026 10:02:00 GMT", 120.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("1" * 400, LONGEST_ADVICE_SECONDS),
        ("99999999999", LONGEST_ADVICE_SECONDS),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("²", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float) -> None:
    """Seconds or a date, at most a day; what is neither asks for nothing."""
    assert seconds_advised(header, NOW) == seconds


@given(header=st.text())
def test_no_answer_can_break_the_reading(header: str) -> None:
    """Whatever a stranger's server says is some number of seconds within a day."""
    assert 0.0 <= seconds_advised(header, NOW) <= LONGEST_ADVICE_SECONDS


def test_a_webhook_is_given_up_after_three_days_without_success() -> None:
    """Not one that accepted something lately, or always."""
    assert is_hopeless(NOW - timedelta(days=3), NOW)
    assert not is_hopeless(NOW - timedelta(days=2, hours=23), NOW)
    assert not is_hopeless(None, NOW)
