from mien_local import words
from mien_serving.face import gates, panel


def test_every_gate_has_its_words() -> None:
    """A gate that is added gets a name and a unit on report pages and in the annotated picture, or this fails."""
    assert set(words._GATES) == set(gates._THRESHOLDS)
    assert set(panel._GATES) == set(gates._THRESHOLDS)
