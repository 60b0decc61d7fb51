"""What the API server sends is read as it is meant."""

from typing import Any

import pytest

from mien_core.errors import Rejected
from mien_operator.documents import is_newer, resource_of, without_history
from tests.widgets import WIDGET, WidgetSpec


def document(version: str = "1", uid: str = "u", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "here",
            "name": "one",
            "uid": uid,
            "resourceVersion": version,
            "generation": 4,
            "creationTimestamp": "2026-05-04T12:00:00Z",
            "managedFields": [{}],
        },
        "spec": spec,
    }


def test_a_resource_has_what_controllers_need() -> None:
    """Checked spec, generation, times with their zone; nothing of it being deleted."""
    resource = resource_of(WIDGET, document(size=3))
    assert isinstance(resource.spec, WidgetSpec)
    assert (resource.namespace, resource.name, resource.uid, resource.generation) == ("here", "one", "u", 4)
    assert resource.created_at.utcoffset() is not None
    assert not resource.deleting


def test_a_spec_that_is_none_is_refused_with_its_places() -> None:
    """An older definition lets through what this operator can't read; it says so and doesn't break."""
    with pytest.raises(Rejected, match=r"spec\.size.*spec\.unknown") as caught:
        resource_of(WIDGET, document(size=0, unknown=1))
    assert caught.value.code == "invalid_spec"


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("x", "y", True), ("x", "x", False)],
)
def test_versions_are_compared_as_numbers_where_they_are(one: str, other: str, newer: bool) -> None:  # noqa: FBT001
    """What comes late from a watch doesn't replace what the operator wrote itself."""
    assert is_newer(document(one), document(other)) is newer


def test_another_resource_by_the_same_name_is_newer() -> None:
    """Whatever its version says."""
    assert is_newer(document("1", uid="v"), document("9", uid="u"))


def test_a_document_is_kept_without_its_history() -> None:
    """The managedFields are dropped from what is kept, and not from what was given."""
    whole = document()
    assert "managedFields" not in without_history(whole)["metadata"]
    assert "managedFields" in whole["metadata"]
