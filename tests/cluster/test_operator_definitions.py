"""What the API server makes of the definitions: good resources are taken, bad ones refused with what to do."""

import os
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from tests.operators import Place, new_place


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A namespace that knows widgets."""
    with new_place(control_plane, cluster, tmp_path_factory.mktemp("place")) as place:
        yield place


def test_defaults_are_filled_in(place: Place) -> None:
    """Who reads a resource sees what it means, also where its author left it out."""
    answer = place.create("plain", size=3, parts=[{"name": "one"}])
    assert answer.is_success, answer.text
    assert answer.json()["spec"] == {
        "size": 3,
        "colour": "Red",
        "parts": [{"name": "one", "weight": 1}],
        "paused": False,
    }


def test_null_is_what_was_left_out(place: Place) -> None:
    """No rule and no reader meets a null, which a template may write where nothing is meant."""
    answer = place.create("null", size=1, note=None)
    assert not answer.is_success or "note" not in answer.json()["spec"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": 3, "colour": "Green"}, "Unsupported value"),
        ({"size": 1, "colour": "Blue"}, "A blue widget has at least size 2; make it larger."),
        ({"size": 1, "parts": [{"name": "a", "weight": 13}]}, "No part weighs 13 grams; choose another weight."),
        ({"size": 1, "parts": [{"name": "a"}] * 5}, "must have at most 4 items"),
        ({"size": 1, "colur": "Red"}, "unknown field"),
        ({}, "Required value"),
    ],
    ids=["bound", "enum", "rule", "rule in a list", "items", "unknown", "missing"],
)
def test_bad_specs_are_refused_with_what_to_do(place: Place, spec: dict[str, object], said: str) -> None:
    """The API server says what is wrong, so that nobody waits for the operator to say it."""
    answer = place.create("bad", **spec)
    assert answer.status_code in {400, 422}
    assert said in answer.json()["message"]


def test_the_status_is_written_by_itself(place: Place) -> None:
    """Who may write the spec writes no status with it, and the other way round."""
    place.create("two", size=1).raise_for_status()
    place.patch("two", {"spec": {"size": 2}, "status": {"phase": "Made"}}).raise_for_status()
    assert place.status("two") == {}
    place.patch("two", {"spec": {"size": 3}, "status": {"phase": "Made"}}, "status").raise_for_status()
    assert place.status("two") == {"phase": "Made"}
    assert place.get("two")["spec"]["size"] == 2


def kubectl(place: Place, control_plane: ControlPlane, *words: str) -> str:
    """What kubectl prints."""
    command = ["kubectl", "--namespace", place.namespace, *words]
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(place.kubeconfig.parent)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_people_can_ask_what_a_field_means(place: Place, control_plane: ControlPlane) -> None:
    """`kubectl explain` has the models' texts, and `kubectl get` the columns; the short name and the category work."""
    assert "How large it is." in kubectl(place, control_plane, "explain", "widget.spec.size")
    assert "A thing that tests make." in kubectl(place, control_plane, "explain", "wdg")
    place.create("shown", size=2).raise_for_status()
    place.patch("shown", {"status": {"phase": "Made"}}, "status").raise_for_status()
    heading, line = kubectl(place, control_plane, "get", "wdg", "shown", "-o", "wide").splitlines()
    assert heading.split() == ["NAME", "PHASE", "SIZE", "AGE"]
    assert line.split()[:3] == ["shown", "Made", "2"]
    assert "shown" in kubectl(place, control_plane, "get", "mien")
