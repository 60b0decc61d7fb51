"""A kind's definition has what Kubernetes' conventions ask for, and the files are what the code says."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mien_operator import manifests, rbac
from mien_operator.cel import CelRule
from mien_operator.crds.definition import definition
from mien_operator.kinds import KINDS
from tests.widgets import WIDGET


def test_a_definition_serves_one_version_with_a_status_of_its_own() -> None:
    """The status is a subresource, so that who writes the one can't write the other."""
    spec = definition(WIDGET)["spec"]
    (version,) = spec["versions"]
    assert spec["names"]["shortNames"] == ["wdg"]
    assert spec["names"]["categories"] == ["mien"]
    assert version["subresources"] == {"status": {}}
    assert [column["name"] for column in version["additionalPrinterColumns"]] == ["Phase", "Size", "Age"]


def test_every_status_has_conditions_and_the_generation_it_speaks_of() -> None:
    """Conditions are a map by type, as Kubernetes' own are; nothing in a status is asked for or filled in."""
    schema = definition(WIDGET)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    status = schema["properties"]["status"]
    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert "observedGeneration" in status["properties"]
    assert "required" not in status
    assert schema["required"] == ["spec"]


def test_rules_stand_at_their_place() -> None:
    """A rule's path leads into lists, too; self is what stands there."""
    spec = definition(WIDGET)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["x-kubernetes-validations"][0]["rule"].startswith("self.colour")
    assert spec["properties"]["parts"]["items"]["x-kubernetes-validations"][0]["rule"] == "self.weight != 13.0"


def test_a_rule_that_leads_nowhere_is_refused() -> None:
    """A renamed field doesn't lose its rule in silence."""
    lost = replace(WIDGET, rules=(CelRule("true", "never", "pieces[].weight"),))
    with pytest.raises(ValueError, match="there is no pieces"):
        definition(lost)


def test_code_and_files_agree() -> None:
    """Who changes a model runs `python -m mien_operator crds`, and sees in the diff what it means."""
    wanted = {manifests.HOME / path: text for path, text in manifests.files(KINDS).items()}
    present = {*manifests.HOME.glob("crds/*.yaml"), *manifests.HOME.glob("rbac/*.yaml")}
    assert {path: path.read_text() for path in present} == wanted


def test_writing_tells_what_changed_and_removes_what_is_no_more(tmp_path: Path) -> None:
    """A second time nothing is left to do; the file of a kind that is gone goes, too."""
    written = manifests.write([WIDGET], tmp_path)
    assert [path.name for path in written] == ["mien.dev_widgets.yaml", "operator.yaml"]
    assert manifests.write([WIDGET], tmp_path) == []
    other = replace(WIDGET, plural="gadgets", kind="Gadget")
    assert tmp_path / "crds" / "mien.dev_widgets.yaml" in manifests.write([other], tmp_path)
    assert not (tmp_path / "crds" / "mien.dev_widgets.yaml").exists()


def test_manifests_repeat_themselves_rather_than_refer() -> None:
    """The YAML has no anchors, and says what the definition says."""
    (text,) = [text for path, text in manifests.files([WIDGET]).items() if path.parts[0] == "crds"]
    assert "&id" not in text
    assert yaml.safe_load(text) == definition(WIDGET)


def test_the_operator_may_do_little() -> None:
    """No wildcard, nothing outside of its namespace, and no leave to delete or to create resources."""
    role = rbac.role([WIDGET], "here")
    assert role["kind"] == "Role"
    assert role["metadata"]["namespace"] == "here"
    assert "*" not in yaml.safe_dump(role)
    ours = [rule for rule in role["rules"] if rule["apiGroups"] == ["mien.dev"]]
    assert {verb for rule in ours for verb in rule["verbs"]} == {"get", "list", "watch", "patch"}
    assert "secrets" not in yaml.safe_dump(role)
