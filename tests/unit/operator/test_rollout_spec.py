"""What a ModelRollout may say, as the operator reads it."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from mien_operator.rollouts.durations import span
from mien_operator.rollouts.spec import ModelRolloutSpec, Step
from mien_operator.rollouts.status import ModelRolloutStatus, Phase

ARTIFACT = {"uri": "s3://models/face.zip", "digest": "sha256:" + "a" * 64}
LEAST = {"modelRef": {"name": "face"}, "artifact": ARTIFACT, "steps": [{"setWeight": 100}]}


def test_the_least_that_is_written_gets_what_is_usual() -> None:
    """A model, an artifact and a step are enough; the rest has defaults that are safe."""
    spec = ModelRolloutSpec.model_validate(LEAST)
    assert (spec.strategy.type, spec.abort_policy, spec.max_surge.gpus) == ("Canary", "Rollback", 0)
    assert span(spec.rollback_window) == timedelta(hours=1)
    assert not spec.paused


@pytest.mark.parametrize(
    "changed",
    [
        {"artifact": {**ARTIFACT, "digest": "sha256:short"}},
        {"artifact": {**ARTIFACT, "uri": "http://models/face.zip"}},
        {"artifact": {**ARTIFACT, "uri": "s3:///face.zip"}},
        {"modelRef": {"name": "another"}},
        {"steps": []},
        {"steps": [{"setWeight": 101}]},
        {"steps": [{"setWeight": -1}]},
        {"rollbackWindow": "tomorrow"},
        {"rollbackWindow": ""},
        {"importPath": "os:system"},
        {"maxSurge": {"gpus": -1}},
        {"autoscaling": {"maxQueuedRequests": -1}},
    ],
)
def test_nonsense_is_refused(changed: dict[str, object]) -> None:
    """What can't be meant is no spec: wrong digests, places, weights and names, and whatever nobody would read."""
    with pytest.raises(ValidationError):
        ModelRolloutSpec.model_validate({**LEAST, **changed})


def test_what_is_left_out_is_not_null_in_the_schema() -> None:
    """The API server is told of no null, so it drops one, and its rules see what the operator sees."""
    fields = Step.model_json_schema()["properties"]
    assert set(fields) == {"setWeight", "pause", "analysis", "shadow", "setCapacity"}
    assert all("anyOf" not in field for field in fields.values())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m5s", timedelta(hours=1, minutes=30, seconds=5)),
        ("nonsense", timedelta()),
    ],
)
def test_durations(text: str, meant: timedelta) -> None:
    """Durations are read as Kubernetes' users write them."""
    assert span(text) == meant


def test_a_status_survives_being_written_and_read() -> None:
    """What stands in the API server is all that the next look has, also when a later version wrote more."""
    status = ModelRolloutStatus(phase=Phase.PAUSED, current_step=2, passed=True)
    written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert ModelRolloutStatus.model_validate({**written, "conditions": [], "unknown": 1}) == status


def test_the_documented_rollout_is_one() -> None:
    """What people copy from docs/rollouts.md is accepted, and uses each kind of step that it explains."""
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    document = yaml.safe_load(page.partition("```yaml")[2].partition("```")[0])
    spec = ModelRolloutSpec.model_validate(document["spec"])
    assert (document["apiVersion"], document["kind"]) == ("mien.dev/v1alpha1", "ModelRollout")
    assert [step.set_weight for step in spec.steps if step.set_weight is not None] == [20, 100]
    assert all(f"{phase} | " in page for phase in Phase)
