"""ErasureRequest's decisions: what is asked for when, and what people are told."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from mien_operator.controller import Resource
from mien_operator.erasures.reconcile import BLOCKED_SECONDS, UNDER_WAY_SECONDS, Ask, Observed, reconcile
from mien_operator.erasures.spec import CertificateStatus, ErasureRequestSpec, ErasureRequestStatus
from mien_operator.internal_holds import Erasure
from mien_operator.plan import Plan, Truth
from mien_operator.status import planned

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
UID = "0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"
SPEC = {"tenant": "acme", "userId": "anna", "requestedBy": "data-protection"}
PROOF = CertificateStatus(key_id="5f" * 8, document="{}")


def resource(**fields: Any) -> Resource[ErasureRequestSpec]:
    made = Resource(
        namespace="mien",
        name="anna",
        uid=UID,
        generation=1,
        annotations={},
        spec=ErasureRequestSpec.model_validate(SPEC),
        status={},
        created_at=NOON,
    )
    return replace(made, **fields)


def erasure(state: str, **fields: Any) -> Erasure:
    known = Erasure(id=UID, state=state, subject="user:1", job_id=UID, requested_at=NOON, erased_at=None, code=None)
    return known.model_copy(update=fields)


def said(plan: Plan[Ask]) -> tuple[str, Truth, str]:
    [ready] = [condition for condition in plan.conditions if condition.type == "Ready"]
    # the shell takes it
    planned(ErasureRequestStatus, plan, {}, 1, NOON)
    return str(plan.status["phase"]), ready.status, ready.reason


def test_it_is_asked_for_until_the_api_knows_of_it() -> None:
    """And looked at again at once."""
    plan = reconcile(resource(), Observed(None))
    assert (plan.actions, plan.look_again_seconds) == ((Ask(),), 0)
    assert said(plan) == ("Pending", Truth.FALSE, "Pending")


def test_under_way_it_is_waited_for() -> None:
    """Nothing is asked for twice."""
    plan = reconcile(resource(), Observed(erasure("erasing")))
    assert (plan.actions, plan.look_again_seconds) == ((), UNDER_WAY_SECONDS)
    assert said(plan) == ("Erasing", Truth.FALSE, "Erasing")
    assert plan.status["jobId"] == UID


def test_blocked_it_is_asked_for_again_and_told_once() -> None:
    """It begins by itself when no hold is in its way any more."""
    plan = reconcile(resource(), Observed(erasure("blocked", job_id=None, requested_at=None)))
    assert (plan.actions, plan.look_again_seconds) == ((Ask(),), BLOCKED_SECONDS)
    assert said(plan) == ("Blocked", Truth.FALSE, "LegalHold")
    assert [note.reason for note in plan.notes] == ["LegalHold"]
    assert reconcile(resource(status=plan.status), Observed(erasure("blocked"))).notes == ()


def test_erased_it_is_ready_and_carries_its_proof() -> None:
    """Nothing is done any more, and nobody looks again."""
    plan = reconcile(resource(), Observed(erasure("erased", erased_at=NOON), PROOF))
    assert (plan.actions, plan.look_again_seconds) == ((), None)
    assert said(plan) == ("Erased", Truth.TRUE, "Erased")
    assert plan.status["certificate"] == {"keyId": PROOF.key_id, "document": "{}"}


def test_failed_it_says_what_to_do() -> None:
    """By the code of the job, which people find in the log."""
    plan = reconcile(resource(), Observed(erasure("failed", code="deadline_exceeded")))
    assert plan.actions == ()
    assert said(plan) == ("Failed", Truth.FALSE, "Failed")
    assert "deadline_exceeded" in plan.conditions[0].message


@pytest.mark.parametrize("state", ["erasing", "blocked", "erased"])
def test_deleted_it_goes_and_what_was_asked_for_goes_on(state: str) -> None:
    """Half an erasure can't be undone; the status stays as it was until the end."""
    before = {"phase": "Erasing", "observedGeneration": 1, "conditions": []}
    plan = reconcile(resource(deleting=True, status=before), Observed(erasure(state)))
    assert (plan.actions, plan.released) == ((), True)
    assert planned(ErasureRequestStatus, plan, before, 1, NOON) == before


@pytest.mark.parametrize(
    "wrong",
    [{"userId": "anna@mail.example"}, {"requestedBy": "anna@mail.example"}, {"requestedBy": ""}, {"tenant": ""}],
)
def test_nobody_is_named_but_by_an_opaque_id(wrong: dict[str, str]) -> None:
    """Whoever reads resources, and the audit log, learns no email address."""
    with pytest.raises(ValidationError):
        ErasureRequestSpec.model_validate({**SPEC, **wrong})
