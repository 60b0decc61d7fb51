"""Whole lives of all kinds of resource; each says what is to come of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mien_operator.kinds import ERASURE_REQUEST, LEGAL_HOLD, MODEL_ROLLOUT, RETENTION_POLICY
from tests.kills.life import DAY_SECONDS, PERSON, Life, Play
from tests.rollout_world import artifact, revision

NAME: Final = "one"
# Until an aborted candidate is unloaded, also if whoever does that was killed on the way and looks each half minute.
UNLOADED_SECONDS: Final = 120.0
_PHOTOS: Final = {"store": "s3", "dataClass": "photos", "ttl": "0m"}
_STEPS: Final[Sequence[Mapping[str, Any]]] = (
    {"shadow": {"percent": 10}},
    {"analysis": {}},
    {"setWeight": 20},
    {"pause": {"duration": "30s"}},
    {"setWeight": 100},
)


def _policy(life: Life, mode: str = "RequireApproval") -> dict[str, Any]:
    limits = {"maxPercentPerRun": 100}
    return {"schedule": life.daily, "rules": [_PHOTOS], "mode": mode, "limits": limits}


def _said(life: Life) -> dict[str, Any]:
    status = life.status(RETENTION_POLICY, NAME)
    assert status is not None
    return dict(status)


async def _next_day(life: Life) -> None:
    life.pass_time(DAY_SECONDS)
    await life.look()


async def _approved(life: Life) -> None:
    await life.annotate(RETENTION_POLICY, NAME, approve=_said(life)["proposal"]["runId"])


async def approved_and_done(life: Life) -> None:
    await life.photos()
    await life.create(RETENTION_POLICY, NAME, _policy(life))
    await _next_day(life)
    await life.work()
    life.note("proposed")
    await _approved(life)
    await life.work()
    assert _said(life)["lastRun"]["deleted"] == 3
    life.note("done")
    await life.delete(RETENTION_POLICY, NAME)
    life.note("deleted")


async def edited_in_mid_run(life: Life) -> None:
    await life.photos()
    await life.create(RETENTION_POLICY, NAME, _policy(life))
    await _next_day(life)
    await life.work()
    await life.edit(RETENTION_POLICY, NAME, {"limits": {"maxPercentPerRun": 90}})
    await life.work()
    assert _said(life)["lastRun"]["state"] == "stopped"
    life.note("stopped")
    await _next_day(life)
    await life.work()
    await _approved(life)
    await life.work()
    assert _said(life)["lastRun"]["deleted"] == 3
    life.note("done")


async def deleted_in_mid_run(life: Life) -> None:
    await life.photos()
    await life.create(RETENTION_POLICY, NAME, _policy(life, "Enforce"))
    await _next_day(life)
    assert _said(life)["phase"] == "Listing"
    await life.delete(RETENTION_POLICY, NAME)
    await life.work()
    assert len(life.world.store.keys()) == 3
    life.note("deleted")


async def paused_in_mid_run(life: Life) -> None:
    await life.photos()
    await life.create(RETENTION_POLICY, NAME, _policy(life, "Enforce"))
    await _next_day(life)
    await life.edit(RETENTION_POLICY, NAME, {"paused": True})
    await life.work()
    assert len(life.world.store.keys()) == 3
    life.note("paused")
    await life.edit(RETENTION_POLICY, NAME, {"paused": False})
    await _next_day(life)
    await life.work()
    assert _said(life)["lastRun"]["deleted"] == 3
    life.note("done")


async def never_approved(life: Life) -> None:
    await life.photos()
    await life.create(RETENTION_POLICY, NAME, _policy(life))
    await _next_day(life)
    await life.work()
    life.pass_time(8 * DAY_SECONDS)
    await life.run(30.0)
    assert _said(life)["phase"] == "Listing"
    life.note("withdrawn, and asked for anew")
    await life.delete(RETENTION_POLICY, NAME)
    life.note("deleted")


_HOLD: Final = {"tenant": PERSON.tenant, "userId": PERSON.user_id, "reason": "A lawsuit."}
_ERASURE: Final = {"tenant": PERSON.tenant, "userId": PERSON.user_id, "requestedBy": "data-protection"}


async def held_and_lifted(life: Life) -> None:
    await life.somebody()
    await life.create(LEGAL_HOLD, NAME, _HOLD)
    life.note("held")
    await life.edit(LEGAL_HOLD, NAME, {"reason": "Another lawsuit.", "caseReference": "4711"})
    life.note("edited")
    await life.delete(LEGAL_HOLD, NAME)
    life.note("lifted")


def _phase(life: Life) -> str:
    status = life.status(ERASURE_REQUEST, NAME)
    assert status is not None
    return str(status["phase"])


async def erased_and_certified(life: Life) -> None:
    await life.somebody()
    await life.create(ERASURE_REQUEST, NAME, _ERASURE)
    assert _phase(life) == "Erasing"
    life.note("erasing")
    await life.work()
    assert _phase(life) == "Erased"
    life.note("erased")
    await life.delete(ERASURE_REQUEST, NAME)
    life.note("deleted")


async def erased_after_a_hold(life: Life) -> None:
    await life.somebody()
    await life.create(LEGAL_HOLD, "hold", _HOLD)
    await life.create(ERASURE_REQUEST, NAME, _ERASURE)
    assert _phase(life) == "Blocked"
    life.note("blocked")
    await life.delete(LEGAL_HOLD, "hold")
    await life.run(150.0)
    assert _phase(life) == "Erasing"
    life.note("erasing")
    await life.work()
    assert _phase(life) == "Erased"
    life.note("erased")


def _rollout(name: str, **more: Any) -> dict[str, Any]:
    return {
        "modelRef": {"name": "face"},
        "artifact": artifact(name),
        "steps": list(_STEPS),
        "analysis": {"metrics": [{"comparator": "Errors"}]},
        "progressDeadlineSeconds": 60,
        **more,
    }


async def _first(life: Life) -> None:
    await life.create(MODEL_ROLLOUT, NAME, _rollout("a"))
    await life.until(MODEL_ROLLOUT, NAME, "Healthy")


async def _followed_by(life: Life, name: str) -> None:
    await life.edit(MODEL_ROLLOUT, NAME, {"artifact": artifact(name)})


def _stable(life: Life) -> tuple[str, str]:
    status = life.status(MODEL_ROLLOUT, NAME)
    assert status is not None
    return status["phase"], status["stableRevision"]


async def promoted(life: Life) -> None:
    await _first(life)
    await _followed_by(life, "b")
    await life.run(120.0)
    assert _stable(life) == ("Healthy", revision("b"))
    life.note("promoted")
    await life.delete(MODEL_ROLLOUT, NAME)
    life.note("deleted")


async def failed(life: Life) -> None:
    life.world.serving.bad.add(revision("b"))
    await _first(life)
    await _followed_by(life, "b")
    await life.run(UNLOADED_SECONDS)
    assert _stable(life) == ("Aborted", revision("a"))
    life.note("aborted")


async def aborted(life: Life) -> None:
    await _first(life)
    await _followed_by(life, "b")
    await life.until(MODEL_ROLLOUT, NAME, "Paused")
    await life.annotate(MODEL_ROLLOUT, NAME, abort="2")
    await life.run(UNLOADED_SECONDS)
    assert _stable(life) == ("Aborted", revision("a"))
    life.note("aborted")


async def there_and_back(life: Life) -> None:
    await _first(life)
    await _followed_by(life, "b")
    await life.run(100.0)
    await _followed_by(life, "a")
    await life.run(60.0)
    assert _stable(life) == ("Healthy", revision("a"))
    life.note("back")


async def healed(life: Life) -> None:
    await _first(life)
    await _followed_by(life, "b")
    await life.until(MODEL_ROLLOUT, NAME, "Paused")
    life.world.serving.serve.restart()
    await life.run(120.0)
    assert _stable(life) == ("Healthy", revision("b"))
    life.note("healed")


PLAYS: Final[tuple[Play, ...]] = (
    approved_and_done,
    edited_in_mid_run,
    deleted_in_mid_run,
    paused_in_mid_run,
    never_approved,
    held_and_lifted,
    erased_and_certified,
    erased_after_a_hold,
    promoted,
    failed,
    aborted,
    there_and_back,
    healed,
)
