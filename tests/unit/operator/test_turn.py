"""A turn looks, decides and does; what goes wrong becomes a condition, a note or a pause, and never something half."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mien_core.errors import Unavailable
from mien_operator.apply import FINALIZER, Applier
from mien_operator.interruptions import Gone, NotLeading
from mien_operator.plan import Note
from mien_operator.turn import BUG, REFUSED_SECONDS, Outcome, Turns
from tests.unit.operator.shelf import Shelf
from tests.widgets import WIDGET, Piece, WidgetController, World

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Ears:
    """Who is told."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.deaf = False

    async def tell(self, body: object, note: Note, now: datetime) -> None:
        del body, now
        if self.deaf:
            raise Unavailable("cluster_unavailable", "Away.")
        self.notes.append(note)


class Scene:
    """Everything that a turn of a widget needs."""

    def __init__(self, folder: Path, check: Callable[[], None] = lambda: None) -> None:
        self.shelf = Shelf()
        self.ears = Ears()
        self.world = World(folder)
        self.controller = WidgetController(self.world)
        applier = Applier(self.shelf, self.ears, check, lambda: NOW)
        self.turns = Turns({WIDGET.kind: self.controller}, applier, self.shelf)

    async def turn(self, document: Any, failures: int = 0) -> Outcome:
        return await self.turns.do(WIDGET, document, failures)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A world with nothing in it."""
    return Scene(tmp_path)


async def test_a_turn_makes_tells_and_writes(scene: Scene) -> None:
    """The finalizer comes before anything is done; a second turn has nothing to write."""
    outcome = await scene.turn(scene.shelf.put("one", size=2))
    assert scene.world.pieces("one") == {0, 1}
    assert [note.reason for note in scene.ears.notes] == ["Made"]
    assert outcome.document["metadata"]["finalizers"] == [FINALIZER]
    assert outcome.document["status"]["made"] == 2
    writes = scene.shelf.writes
    again = await scene.turn(outcome.document)
    assert (again.document, scene.shelf.writes, len(scene.ears.notes)) == (outcome.document, writes, 1)


async def test_what_changed_meanwhile_is_decided_anew(scene: Scene) -> None:
    """The status of an older state is not written over a newer one; the turn comes again at once."""
    old = scene.shelf.put("one", (FINALIZER,), size=1)
    new = scene.shelf.put("one", (FINALIZER,), size=2)
    outcome = await scene.turn(old)
    assert (outcome.failed, outcome.look_again_seconds, outcome.document) == (False, 0.0, new)
    assert "status" not in scene.shelf.documents["one"]


async def test_a_deleted_resource_goes_when_it_is_tidied_up(scene: Scene) -> None:
    """And not before; other finalizers stay."""
    scene.shelf.put("one", (FINALIZER, "other"), size=2)
    scene.world.do("one", Piece(0))
    outcome = await scene.turn(scene.shelf.delete("one"))
    assert scene.world.pieces("one") == set()
    assert outcome.document["metadata"]["finalizers"] == ["other"]
    # what is tidied up and waits for others is not begun anew
    scene.world.do("one", Piece(7))
    await scene.turn(outcome.document)
    assert scene.world.pieces("one") == {7}


async def test_a_deleted_resource_gets_no_finalizer(scene: Scene) -> None:
    """Kubernetes refuses it, and there is nothing of it to tidy up."""
    scene.shelf.put("one", ("other",), size=2)
    outcome = await scene.turn(scene.shelf.delete("one"))
    assert outcome.document["metadata"]["finalizers"] == ["other"]
    assert scene.world.pieces("one") == set()


async def test_what_is_gone_is_told(scene: Scene) -> None:
    """Nobody makes a widget that is no more."""
    document = scene.shelf.put("one", size=2)
    del scene.shelf.documents["one"]
    with pytest.raises(Gone):
        await scene.turn(document)
    assert scene.world.pieces("one") == set()


async def test_what_is_away_is_told_once_and_tried_again(scene: Scene) -> None:
    """The status stays as it was, since nothing is known to be wrong with the resource."""
    scene.world.away.touch()
    document = scene.shelf.put("one", (FINALIZER,), size=1)
    first = await scene.turn(document)
    await scene.turn(document, failures=1)
    assert (first.code, first.look_again_seconds) == ("world_unavailable", 1.0)
    assert [note.reason for note in scene.ears.notes] == ["WorldUnavailable"]
    assert "status" not in first.document


async def test_what_is_refused_is_a_condition(scene: Scene) -> None:
    """It says what to do, is told once, and is looked at again only now and then."""
    outcome = await scene.turn(scene.shelf.put("one", size=1, note="refuse"))
    assert (outcome.code, outcome.look_again_seconds) == ("widget_refused", REFUSED_SECONDS)
    (ready,) = outcome.document["status"]["conditions"]
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "WidgetRefused", "Write another note.")
    writes = scene.shelf.writes
    await scene.turn(outcome.document, failures=1)
    assert (scene.shelf.writes, len(scene.ears.notes)) == (writes, 1)


async def test_a_spec_that_cannot_be_read_is_a_condition(scene: Scene) -> None:
    """An older definition in the cluster is nothing that breaks the operator."""
    outcome = await scene.turn(scene.shelf.put("one", size=0))
    assert outcome.document["status"]["conditions"][0]["reason"] == "InvalidSpec"


async def test_a_bug_is_a_condition_and_a_growing_pause(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """One resource's bug stops no other; the log has its trace."""
    outcome = await scene.turn(scene.shelf.put("one", size=1, note="bug"))
    assert (outcome.code, outcome.look_again_seconds) == (BUG, None)
    assert outcome.document["status"]["conditions"][0]["reason"] == "InternalError"
    assert caplog.records[-1].exc_info is not None


async def test_who_cannot_be_told_holds_up_nothing(scene: Scene) -> None:
    """Events are for people; the work goes on without them."""
    scene.ears.deaf = True
    outcome = await scene.turn(scene.shelf.put("one", size=1))
    assert outcome.document["status"]["made"] == 1


@pytest.mark.parametrize("steps", range(5))
async def test_nothing_is_done_once_the_lease_is_lost(tmp_path: Path, steps: int) -> None:
    """Finalizer, two pieces, note and status: each step asks first, and what was done before stays."""
    left = iter(range(steps))

    def check() -> None:
        if next(left, None) is None:
            raise NotLeading

    scene = Scene(tmp_path, check)
    document = scene.shelf.put("one", size=2)
    with pytest.raises(NotLeading):
        await scene.turn(document)
    done = scene.shelf.writes + len(scene.world.pieces("one")) + len(scene.ears.notes)
    assert done == steps
