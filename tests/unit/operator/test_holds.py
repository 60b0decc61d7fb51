"""LegalHold's decisions: what is written when, and when it is Ready."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from mien_operator.controller import Resource
from mien_operator.holds.reconcile import Observed, Place, Release, reconcile, wanted_of
from mien_operator.holds.spec import RULES, LegalHoldSpec
from mien_operator.internal_holds import Hold
from mien_operator.plan import Truth

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
UID = "0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"


def resource(**fields: Any) -> Resource[LegalHoldSpec]:
    spec = {"tenant": "acme", "userId": "anna", "dataClasses": ["photos"], "reason": "A lawsuit."}
    made = Resource(
        namespace="mien",
        name="case-7",
        uid=UID,
        generation=1,
        annotations={},
        spec=LegalHoldSpec.model_validate(spec),
        status={},
        created_at=NOON,
    )
    return replace(made, **fields)


def standing(**fields: Any) -> Hold:
    known = Hold(
        id=UID, name="mien/case-7", reason="A lawsuit.", case_reference=None, created_at=NOON, released_at=None
    )
    return known.model_copy(update=fields)


def test_it_is_ready_by_its_row_alone() -> None:
    """Before there is one it is written, and looked at again at once; then it says since when."""
    first = reconcile(resource(), Observed(None))
    assert first.actions == (Place(wanted_of(resource())),)
    assert [(one.type, one.status) for one in first.conditions] == [("Ready", Truth.FALSE)]
    assert first.look_again_seconds == 0
    then = reconcile(resource(), Observed(standing()))
    assert then.actions == ()
    assert [(one.type, one.status, one.reason) for one in then.conditions] == [("Ready", Truth.TRUE, "Held")]
    assert then.status == {"heldSince": "2026-11-21T12:00:00Z"}
    assert [note.reason for note in then.notes] == ["Held"]
    # told once
    assert reconcile(resource(status=then.status), Observed(standing())).notes == ()


def test_what_is_wanted_says_all_of_it() -> None:
    """As the api takes it, under the name that people know."""
    assert wanted_of(resource()) == {
        "name": "mien/case-7",
        "tenant": "acme",
        "userId": "anna",
        "dataClasses": ["photos"],
        "reason": "A lawsuit.",
        "caseReference": None,
    }


@pytest.mark.parametrize("said", [{"reason": "Another."}, {"case_reference": "7/26"}, {"name": "mien/other"}])
def test_what_people_say_about_it_is_kept_up_to_date(said: dict[str, str]) -> None:
    """It stays Ready meanwhile, since what it covers is the same."""
    plan = reconcile(resource(), Observed(standing(**said)))
    assert plan.actions == (Place(wanted_of(resource())),)
    assert plan.conditions[0].status is Truth.TRUE


def test_deleted_it_is_lifted_before_it_goes() -> None:
    """Once, and not if there is nothing to lift."""
    leaving = resource(deleting=True)
    plan = reconcile(leaving, Observed(standing()))
    assert (plan.actions, plan.released) == ((Release(),), True)
    for gone in (None, standing(released_at=NOON)):
        plan = reconcile(leaving, Observed(gone))
        assert (plan.actions, plan.released) == ((), True)
        # who lifted it may have died before it could tell
        assert [note.reason for note in plan.notes] == ([] if gone is None else ["Lifted"])


def test_one_that_was_lifted_elsewhere_never_claims_to_hold() -> None:
    """There may be gaps in what it kept, so it isn't written again; people are told what to do."""
    plan = reconcile(resource(), Observed(standing(released_at=NOON)))
    assert plan.actions == ()
    assert [(one.status, one.reason) for one in plan.conditions] == [(Truth.FALSE, "Lifted")]
    assert "Make another LegalHold" in plan.conditions[0].message


@pytest.mark.parametrize(
    "wrong",
    [
        {"userId": "anna@mail.example"},
        {"userId": "an na"},
        {"userId": ""},
        {"tenant": ""},
        {"reason": ""},
        {"dataClasses": []},
        {"dataClasses": ["faces"]},
        {"until": "2027"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """By the model, and so by the definition that is made of it."""
    spec = {"tenant": "acme", "userId": "anna", "reason": "A lawsuit."}
    with pytest.raises(ValidationError):
        LegalHoldSpec.model_validate({**spec, **wrong})


def test_the_rules_compare_all_that_a_hold_covers() -> None:
    """A field of what is covered that is forgotten there could be changed, and would release something."""
    covered = LegalHoldSpec.model_fields.keys() - {"reason", "case_reference"}
    names = {LegalHoldSpec.model_fields[name].alias for name in covered}
    assert names == {name for name in names if f"oldSelf.{name}" in RULES[0].rule}
