"""The operator as a process under its own ServiceAccount, on a real API server."""

import signal
from collections.abc import Iterator

import httpx
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_operator.apply import FINALIZER
from tests.operators import Place, Running, new_place, until


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A namespace that knows widgets."""
    with new_place(control_plane, cluster, tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture(scope="module")
def operator(place: Place) -> Iterator[Running]:
    """An operator that leads."""
    with place.operator() as running:
        running.until_leading()
        yield running


def test_a_resource_is_made_told_of_changed_and_tidied_up(place: Place, operator: Running) -> None:
    """From its creation to its end: status, conditions, an Event that people read, and nothing left behind."""
    place.create("one", size=2).raise_for_status()
    until(lambda: place.status("one").get("phase") == "Made", "it is made")
    assert place.world.pieces("one") == {0, 1}
    ready = place.condition("one")
    assert (ready["status"], ready["reason"], ready["observedGeneration"]) == ("True", "Made", 1)
    assert place.get("one")["metadata"]["finalizers"] == [FINALIZER]
    assert "annotations" not in place.get("one")["metadata"]
    (event,) = place.events("one")
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "Made", "The widget has 2 pieces.")

    place.patch("one", {"spec": {"size": 4}}).raise_for_status()
    until(lambda: place.status("one").get("observedGeneration") == 2, "the change is seen")
    assert place.world.pieces("one") == {0, 1, 2, 3}
    assert place.condition("one")["lastTransitionTime"] == ready["lastTransitionTime"]

    place.cluster.delete(place.path("one")).raise_for_status()
    until(lambda: place.is_gone("one"), "it is gone")
    assert place.world.pieces("one") == set()
    assert place.world.done_twice == []
    assert operator.process.poll() is None


def test_a_status_that_somebody_else_wrote_is_mended(place: Place, operator: Running) -> None:
    """The status says what is; what others write into it doesn't stay."""
    place.create("mended", size=1).raise_for_status()
    until(lambda: place.status("mended").get("phase") == "Made", "it is made")
    place.patch("mended", {"status": {"phase": "Broken", "made": 7}}, "status").raise_for_status()
    until(lambda: place.status("mended")["phase"] == "Made" and place.status("mended")["made"] == 1, "it is mended")
    assert operator.health()["status"] == "ok"


def test_errors_become_conditions_events_and_pauses(place: Place, operator: Running) -> None:
    """What waiting can't mend is a condition that says what to do; what it can is tried again; a bug is neither."""
    place.world.away.touch()
    place.create("waits", size=1).raise_for_status()
    place.create("bug", size=1, note="bug").raise_for_status()
    until(lambda: place.events("waits"), "it is told of")
    assert place.events("waits")[0]["reason"] == "WorldUnavailable"
    assert place.condition("waits") == {}
    place.world.away.unlink()
    until(lambda: place.status("waits").get("phase") == "Made", "it was tried again")

    until(lambda: place.condition("bug"), "the bug is told of")
    assert place.condition("bug")["reason"] == "InternalError"
    assert "a bug" in operator.log

    place.create("refused", size=1, note="refuse").raise_for_status()
    until(lambda: place.condition("refused"), "the condition is there")
    ready = place.condition("refused")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "WidgetRefused", "Write another note.")
    place.patch("refused", {"spec": {"note": None}}).raise_for_status()
    until(lambda: place.condition("refused")["status"] == "True", "the change mended it")

    text = operator.metrics()
    assert 'mien_operator_reconcile_errors_total{code="widget_refused",kind="Widget"}' in text
    assert 'mien_operator_reconcile_errors_total{code="bug",kind="Widget"}' in text
    assert 'mien_operator_reconcile_seconds_count{kind="Widget"}' in text
    assert 'mien_operator_resources{kind="Widget"}' in text
    assert "mien_operator_leading 1.0" in text


def test_edits_while_it_writes_are_all_heeded(place: Place, operator: Running) -> None:
    """Who loses against another's write decides anew, of what is there then."""
    place.create("edited", size=1).raise_for_status()
    for number in range(30):
        place.patch("edited", {"spec": {"size": 1 + number % 5}, "metadata": {"labels": {"edit": str(number)}}})
    generation = place.get("edited")["metadata"]["generation"]
    until(lambda: place.status("edited").get("observedGeneration") == generation, "the last edit is seen")
    assert place.status("edited")["made"] == 5
    assert place.world.pieces("edited") == {0, 1, 2, 3, 4}
    assert place.world.done_twice == []
    assert operator.process.poll() is None


def test_a_stop_hands_over_at_once(place: Place, operator: Running) -> None:
    """Who is told to stop gives the lease back, so that the next one needn't wait for it to run out."""
    with place.operator() as standby:
        until(lambda: standby.health()["leading"] is False, "it stands by")
        operator.send(signal.SIGTERM)
        assert operator.ended() == 0
        until(lambda: standby.health()["leading"], "it leads", seconds=10)
