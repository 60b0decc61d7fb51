"""The operator is killed at each step of a plan: the next one brings the same end about, and does nothing twice."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from mien_core.faults import Action, Fault, Point
from mien_local.cluster.control_plane import ControlPlane
from tests.operators import Place, Running, new_place, until

SIZE = 2


@dataclass(frozen=True)
class Case:
    """Where the operator dies in the life of a widget of two pieces, the how many-th time it comes there."""

    point: Point
    hit: int = 1
    deleting: bool = False
    only_long: bool = False

    def __str__(self) -> str:
        return f"{self.point}@{self.hit}{' while deleting' if self.deleting else ''}"


CASES = (
    Case(Point.OPERATOR_GUARDED),
    Case(Point.OPERATOR_DECIDED, only_long=True),
    Case(Point.OPERATOR_ACTED, 1),
    Case(Point.OPERATOR_ACTED, 2, only_long=True),
    Case(Point.OPERATOR_TOLD),
    Case(Point.OPERATOR_WRITTEN),
    Case(Point.OPERATOR_DECIDED, deleting=True),
    Case(Point.OPERATOR_ACTED, 1, deleting=True, only_long=True),
    Case(Point.OPERATOR_ACTED, 2, deleting=True, only_long=True),
    Case(Point.OPERATOR_WRITTEN, deleting=True, only_long=True),
    Case(Point.OPERATOR_RELEASED, deleting=True),
)


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, cluster: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A namespace that knows widgets."""
    with new_place(control_plane, cluster, tmp_path_factory.mktemp("place")) as place:
        yield place


def test_no_point_of_the_operator_is_left_out() -> None:
    """Each is fired in every run, and the run fails if one isn't."""
    mine = {point for point in Point if point.startswith("operator.")}
    assert {case.point for case in CASES if not case.only_long} == mine


@pytest.mark.timeout(600)
def test_killed_at_any_step_it_ends_the_same(place: Place, request: pytest.FixtureRequest) -> None:
    """The operator after the one that died finishes the widget, and then dies itself at the next step."""
    is_long = request.config.getoption("--long", default=False)
    with contextlib.ExitStack() as stack:
        operator = stack.enter_context(place.operator())
        for number, case in enumerate(case for case in CASES if is_long or not case.only_long):
            name = f"widget-{number}"
            operator.until_leading()
            if case.deleting:
                place.create(name, size=SIZE).raise_for_status()
                until_made(place, name, case)
            operator.arm(Fault(case.point, Action.KILL, case.hit))
            if case.deleting:
                place.cluster.delete(place.path(name)).raise_for_status()
            else:
                place.create(name, size=SIZE).raise_for_status()
            has_died(place, operator, case)
            operator = stack.enter_context(place.operator())
            until_ended(place, name, case)
    assert place.world.done_twice == []


def has_died(place: Place, operator: Running, case: Case) -> None:
    """Wait for its end, which nobody else brought about, and let the next one lead at once."""
    assert operator.ended() == -signal.SIGKILL, operator.log
    assert operator.fired, case
    place.drop_lease()


def until_made(place: Place, name: str, case: Case) -> None:
    until(lambda: place.status(name).get("made") == SIZE, f"{name} is made, {case}")


def until_ended(place: Place, name: str, case: Case) -> None:
    """Wait for what would have come without the fault, and see that it is all."""
    if case.deleting:
        until(lambda: place.is_gone(name), f"{name} is gone, {case}")
        assert place.world.pieces(name) == set()
        return
    until_made(place, name, case)
    assert place.world.pieces(name) == set(range(SIZE))
    assert place.condition(name)["status"] == "True"
    assert len(place.events(name)) == 1
