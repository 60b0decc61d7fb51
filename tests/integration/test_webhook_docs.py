"""What docs/webhooks.md tells receivers to do, done."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from mien_core.rules.webhooks import headers_of
from tests.webhooks import KEYS

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
BODY = '{"type":"test","timestamp":"2026-11-21T10:00:00Z","data":{"id":"grüße"}}'.encode()
ORIGIN = KEYS.origin(str(uuid4()))
SECRET = KEYS.shown(ORIGIN)

Verified = Callable[[dict[str, str], bytes], Any]


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return re.sub(r"^  ", "", found[1], flags=re.MULTILINE)


def in_python(headers: dict[str, str], body: bytes) -> Any:
    names: dict[str, Any] = {}
    exec(snippet("python"), names)  # noqa: S102 - what the page shows
    return names["verified"](SECRET, headers, body)


def on_node(headers: dict[str, str], body: bytes) -> Any:
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no Node here.")
    given = ", ".join(json.dumps(one) for one in (SECRET, headers, body.decode()))
    program = f"{snippet('javascript')}\nconsole.log(JSON.stringify(verified({given})));"
    command = [node, "--input-type=module", "-e", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise WebhookVerificationError(result.stderr)
    return json.loads(result.stdout)


@pytest.mark.parametrize("verified", [in_python, on_node])
def test_the_page_verifies_what_is_sent_and_nothing_else(verified: Verified) -> None:
    """A message of ours, one of two signatures included; none that was changed, is old, or was signed by others."""
    secret, other = KEYS.secret(ORIGIN), b"x" * 32
    for secrets in ([secret], [other, secret]):
        assert verified(headers_of("id", BODY, secrets, time.time()), BODY) == json.loads(BODY)
    wrong = [
        (headers_of("id", BODY, [other], time.time()), BODY),
        (headers_of("id", BODY, [secret], time.time() - 3600), BODY),
        (headers_of("id", BODY, [secret], time.time()), BODY.replace(b"test", b"tests")),
    ]
    for headers, body in wrong:
        with pytest.raises(WebhookVerificationError):
            verified(headers, body)
