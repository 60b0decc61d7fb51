"""What a plan says becomes the status, and no more is written than what differs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mien_operator import status
from mien_operator.plan import Condition, Plan, Truth
from tests.widgets import WidgetStatus

NOW = datetime(2026, 5, 4, 12, 0, 0, 999999, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def plan(truth: Truth = Truth.TRUE, **said: Any) -> Plan[Any]:
    return Plan(status=said, conditions=(Condition("Ready", truth, "Because", "So."),))


def test_a_plan_becomes_fields_conditions_and_the_generation() -> None:
    """Times are in whole seconds, as Kubernetes has them; what the plan leaves out has the model's default."""
    assert status.planned(WidgetStatus, plan(made=3), {}, 7, NOW) == {
        "phase": "Pending",
        "made": 3,
        "observedGeneration": 7,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 7,
                "lastTransitionTime": "2026-05-04T12:00:00Z",
                "reason": "Because",
                "message": "So.",
            }
        ],
    }


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    """Another reason is no transition; another truth is."""
    first = status.planned(WidgetStatus, plan(), {}, 1, NOW)
    same = status.planned(WidgetStatus, plan(), first, 2, LATER)
    turned = status.planned(WidgetStatus, plan(Truth.FALSE), first, 2, LATER)
    assert same["conditions"][0]["lastTransitionTime"] == "2026-05-04T12:00:00Z"
    assert same["conditions"][0]["observedGeneration"] == 2
    assert turned["conditions"][0]["lastTransitionTime"] == "2026-05-04T13:00:00Z"


def test_nothing_is_to_be_written_where_nothing_changed() -> None:
    """An hour later the same plan is the same status, so an idle resource costs no write."""
    first = status.planned(WidgetStatus, plan(made=1), {}, 1, NOW)
    assert status.difference(first, status.planned(WidgetStatus, plan(made=1), first, 1, LATER)) is None


def test_a_plan_that_says_what_the_model_does_not_know_is_a_bug() -> None:
    """The API server would drop it, and each turn write it again."""
    with pytest.raises(ValidationError):
        status.planned(WidgetStatus, plan(unheard_of=1), {}, 1, NOW)


def test_a_refusal_leaves_all_else_as_it_is() -> None:
    """Only Ready turns; what was known stays to be read."""
    before = status.planned(
        WidgetStatus,
        Plan(conditions=(Condition("Ready", Truth.TRUE, "Made"), Condition("Paused", Truth.FALSE, "No"))),
        {},
        1,
        NOW,
    )
    after = status.not_ready("NoSuchThing", "Make it.", before, 2, LATER)
    assert after["phase"] == before["phase"]
    assert [(entry["type"], entry["status"], entry["lastTransitionTime"]) for entry in after["conditions"]] == [
        ("Ready", "False", "2026-05-04T13:00:00Z"),
        ("Paused", "False", "2026-05-04T12:00:00Z"),
    ]


def test_a_code_is_written_as_a_reason() -> None:
    """Programs that read conditions find CamelCase there."""
    assert status.camel("artifact_digest_mismatch") == "ArtifactDigestMismatch"


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


LEAVES = st.integers() | st.text(max_size=3) | st.booleans() | st.lists(st.integers(), max_size=2)
DOCUMENTS = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_makes_the_one_into_the_other(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Whatever stands there, the patch leads to what is wanted, and then there is nothing more to write."""
    patch = status.difference(current, wanted)
    assert merged(current, patch if patch is not None else {}) == wanted
    assert (patch is None) == (current == wanted) or patch is not None
