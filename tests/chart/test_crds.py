"""The definitions of custom resources that the chart brings."""

from pathlib import Path

from mien_operator import manifests
from mien_operator.kinds import KINDS
from tests.chart.charts import CHART, REPOSITORY


def test_they_are_those_that_the_operator_is_made_for() -> None:
    """Each file is the one that is made from the operator's code, and none is missing."""
    made = {path.name: path.read_text() for path in (REPOSITORY / "operator/mien_operator/crds").glob("*.yaml")}
    assert {path.name: path.read_text() for path in (CHART / "crds").glob("*")} == made
    assert made


def test_they_follow_the_code(tmp_path: Path) -> None:
    """What writes the operator's definitions writes the chart's, and removes those of kinds that are no more."""
    home, chart = tmp_path / "package", tmp_path / "chart"
    assert manifests.write(KINDS, home, chart)
    assert {path.name for path in (chart / "crds").glob("*")} == {path.name for path in (CHART / "crds").glob("*")}
    assert not (chart / "rbac").exists()
    gone = manifests.write(KINDS[1:], home, chart)
    assert chart / "crds" / "mien.dev_retentionpolicies.yaml" in gone
    assert len(list((chart / "crds").glob("*"))) == len(KINDS) - 1
