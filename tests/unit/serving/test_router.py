"""The router itself, with revisions and counting in this process: mirrored requests, comparisons, who may see them."""

import asyncio
import json
from typing import Any

import pytest

from mien_core.errors import MienError, Rejected, Unavailable
from mien_core.model.comparisons import windows_from_json
from mien_core.model.serving import FaceRequest
from mien_core.rules.serve_config import Shadowing
from mien_serving import mirror
from tests.routers import ANSWER, SHADOW, A, B, Face, Served, sent


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_TELL_SECONDS", 0.0)


@pytest.fixture
def stable() -> Face:
    return Face(ANSWER)


async def test_the_candidate_is_asked_only_after_the_answer_was_sent(stable: Face) -> None:
    """Until the last byte is on its way the candidate hears nothing; then it gets the same request, as a copy."""
    candidate = Face(ANSWER)
    served = Served(stable, candidate)
    response = await served.face()
    await asyncio.sleep(0)
    assert candidate.asked == []
    seen_while_sending: list[int] = []
    assert response.background is not None

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        seen_while_sending.append(len(candidate.asked))

    await response({"type": "http"}, receive, send)
    assert seen_while_sending == [0, 0]
    await served.settled()
    assert response.body == stable.answer
    [copy] = candidate.asked
    assert (copy.mirrored, copy.revision, copy.upload_id) == (True, B.name, "u")
    assert not stable.asked[0].mirrored


async def test_the_operator_reads_what_was_compared(stable: Face) -> None:
    """After some requests the comparison's window has them, by pairs and by traffic."""
    served = Served(stable, Face(Rejected("no_face", "There is none.")))
    for number in range(3):
        await sent(await served.face(f"u{number}"))
        await served.settled()
    read = windows_from_json(bytes((await served.respond("GET", "/internal/comparisons")).body))
    [window] = read.windows
    assert (window.comparison.rollout, window.comparison.step) == ("rollout", 0)
    assert (window.comparison.stable, window.comparison.candidate) == (A.name, B.name)
    assert window.tally.asked == 3
    assert window.tally.traffic.stable.requests == 3
    assert sum(group.verdicts["face.found"].lost for group in window.tally.groups.values()) == 3
    assert window.began_at <= read.now


@pytest.mark.parametrize("fails", [RuntimeError("bug"), Unavailable("object_store_unavailable", "Away.")])
async def test_a_failing_stable_revision_is_counted_too(fails: Exception) -> None:
    """What its callers hear stays as it is, and both sides' failures are compared."""
    served = Served(Face(fails), Face(ANSWER))
    response = await served.face()
    assert response.status_code == (503 if isinstance(fails, MienError) else 500)
    await sent(response)
    await served.settled()
    [window] = windows_from_json(bytes((await served.respond("GET", "/internal/comparisons")).body)).windows
    assert (window.tally.errors.gained, window.tally.traffic.stable.errors) == (1, 1)


async def test_a_candidate_that_isnt_up_yet_is_no_failure(stable: Face) -> None:
    """While it is still starting, copies are dropped; its window says so."""
    served = Served(stable, Face(Unavailable("revision_unavailable", "It starts.")))
    await sent(await served.face())
    await served.settled()
    [window] = windows_from_json(bytes((await served.respond("GET", "/internal/comparisons")).body)).windows
    assert (window.tally.asked, window.tally.dropped, window.tally.errors.lost) == (0, 1, 0)


async def test_only_what_weights_decide_is_compared(stable: Face) -> None:
    """A request that names its revision, and one whose answer is known, are neither counted nor mirrored."""
    served = Served(stable, Face(Rejected("no_face", "There is none.")))
    named = await served.face(revision=B.name)
    assert named.background is None
    etag = (await served.face()).headers["etag"]
    body = FaceRequest(upload_id="u", photo_key="uploads/u/photo", subject="t/u").model_dump_json().encode()
    known = await served.respond("POST", "/v1/face", body, {"if-none-match": etag})
    assert (known.status_code, known.background) == (304, None)


async def test_without_a_comparison_nothing_is_mirrored(stable: Face) -> None:
    """Then a response has nothing behind it, and there are no windows; a new step goes on with a new one."""
    candidate = Face(Rejected("no_face", "There is none."))
    served = Served(stable, candidate, shadow=None)
    assert (await served.face()).background is None
    read = windows_from_json(bytes((await served.respond("GET", "/internal/comparisons")).body))
    assert read.windows == ()
    served.configure(SHADOW)
    first = served.router._mirror
    served.configure(SHADOW)
    assert served.router._mirror is first
    served.configure(Shadowing("rollout", 1, A.name, B.name, 100))
    assert served.router._mirror is not first


async def test_comparisons_are_for_the_operator(stable: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token in the environment only who sends it reads them."""
    monkeypatch.setenv("MIEN_COMPARISONS__TOKEN", "s3cret")
    served = Served(stable, stable)
    for wrong in ({}, {"authorization": "Bearer other"}, {"authorization": "s3cret"}):
        refused = await served.respond("GET", "/internal/comparisons", headers=wrong)
        assert refused.status_code == 401
        assert json.loads(bytes(refused.body))["code"] == "operator_token_required"
    allowed = await served.respond("GET", "/internal/comparisons", headers={"authorization": "Bearer s3cret"})
    assert allowed.status_code == 200
    assert (await served.respond("POST", "/internal/comparisons")).status_code == 405
