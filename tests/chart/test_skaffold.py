"""skaffold.yaml: what skaffold's documentation knows, and what lies in this repository."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.chart.charts import REPOSITORY, Chart, values

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "skaffold.schema.json").read_text())


@pytest.fixture
def skaffold() -> dict[str, Any]:
    """The file."""
    return dict(yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text()))


def _with(skaffold: dict[str, Any], profile: str) -> dict[str, Any]:
    """The configuration under a profile: its patches on the whole (RFC 6902, of which skaffold.yaml uses add)."""
    patched = copy.deepcopy(skaffold)
    (chosen,) = (each for each in skaffold["profiles"] if each["name"] == profile)
    for patch in chosen.get("patches", ()):
        assert patch["op"] == "add"
        *way, last = patch["path"].strip("/").split("/")
        place: Any = patched
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if last == "-":
            place.append(patch["value"])
        else:
            place[last] = patch["value"]
    for name in ("build",):
        patched[name] |= chosen.get(name, {})
    return patched


def test_skaffold_knows_every_field(skaffold: dict[str, Any]) -> None:
    """No field is unknown to skaffold's documentation; with each profile, too."""
    Draft7Validator.check_schema(SCHEMA)
    for configuration in (skaffold, *(_with(skaffold, each["name"]) for each in skaffold["profiles"])):
        assert [error.message for error in Draft7Validator(SCHEMA).iter_errors(configuration)] == []


def test_a_misspelt_field_would_be_found(skaffold: dict[str, Any]) -> None:
    """The check above can fail."""
    skaffold["deploy"]["helm"]["releases"][0]["valueFiles"] = []
    assert list(Draft7Validator(SCHEMA).iter_errors(skaffold))


def test_it_builds_the_images_that_the_chart_is_told_of(skaffold: dict[str, Any]) -> None:
    """Each image of the chart is built from its Dockerfile, and the chart is told its repository and tag."""
    built = {each["image"]: each["docker"]["dockerfile"] for each in skaffold["build"]["artifacts"]}
    images = {name for name, image in values()["images"].items() if isinstance(image, dict)}
    assert built == {f"mien-{name}": f"infra/images/{name}.Dockerfile" for name in images}
    assert all((REPOSITORY / dockerfile).exists() for dockerfile in built.values())
    told = _with(skaffold, "ci")["deploy"]["helm"]["releases"][0]["setValueTemplates"]
    for name in images:
        for part, variable in (("repository", "REPO"), ("tag", "TAG"), ("digest", "DIGEST")):
            assert told[f"images.{name}.{part}"] == f"{{{{.IMAGE_{variable}_mien_{name}}}}}"


def test_the_chart_takes_what_it_is_told(skaffold: dict[str, Any], chart: Chart) -> None:
    """With the files of values that skaffold names, and what it fills in, the chart renders; under each profile."""
    for profile in ("dev", "ci"):
        (release,) = _with(skaffold, profile)["deploy"]["helm"]["releases"]
        told = dict.fromkeys(release["setValueTemplates"], "v1")
        told |= {name: f"sha256:{'0' * 64}" for name in told if name.endswith(".digest")}
        files = [REPOSITORY / file for file in release["valuesFiles"]]
        rendered = chart.render(*files, overrides=told)
        image = "v1@sha256:" if profile == "ci" else "v1:v1"
        assert all(each.spec["image"].startswith(image) for each in rendered.containers())


def test_on_a_laptop_nothing_is_pushed_and_no_gpu_asked_for(skaffold: dict[str, Any], chart: Chart) -> None:
    """`skaffold dev` takes the profile dev by itself, which fits onto one machine's cluster."""
    (dev,) = (each for each in skaffold["profiles"] if each["name"] == "dev")
    assert dev["activation"] == [{"command": "dev"}]
    assert _with(skaffold, "dev")["build"]["local"]["push"] is False
    (release,) = _with(skaffold, "dev")["deploy"]["helm"]["releases"]
    rendered = chart.render(*(REPOSITORY / file for file in release["valuesFiles"]))
    assert all("nvidia.com/gpu" not in each.spec["resources"].get("limits", {}) for each in rendered.containers())
    assert all(each["spec"].get("replicas", 1) <= 1 for each in rendered.of_kind("Deployment").values())
