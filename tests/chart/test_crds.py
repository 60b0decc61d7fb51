"""The definitions of custom resources that the chart brings."""

from tests.chart.charts import CHART, REPOSITORY


def test_they_are_those_that_the_operator_is_made_for() -> None:
    """Each file is the one that is made from the operator's code, and none is missing."""
    made = {path.name: path.read_text() for path in (REPOSITORY / "operator/mien_operator/crds").glob("*.yaml")}
    assert {path.name: path.read_text() for path in (CHART / "crds").glob("*")} == made
    assert made
