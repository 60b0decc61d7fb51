"""The operator is killed at each of its steps, and starts from states that nobody planned."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mien_operator.rollouts.judgement import Outcome
from mien_operator.rollouts.status import Phase
from tests.rollout_world import (
    BLUE_GREEN,
    SHADOW,
    SimulatedServe,
    World,
    artifact,
    revision,
    spec,
    without_times,
    worlds_killed,
)

A, B, C = revision("a"), revision("b"), revision("c")
# Kills that are tried in all, at least.
LEAST_POINTS = 200


def promoted(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.run(150)


def failed(world: World) -> None:
    world.verdicts[B] = Outcome.FAIL
    world.settle()
    world.edit(spec("b"))
    world.run(120)


def rolled_back(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.annotate("abort")
    world.run(60)


def there_and_back(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.run(150)
    world.edit(spec("a"))
    world.run(30)
    world.edit(spec("b"))
    world.run(30)


def blue_green(world: World) -> None:
    world.settle()
    world.edit(spec("b", "BlueGreen", BLUE_GREEN))
    world.run(60)
    world.annotate("promote")
    world.run(60)


def shadowed(world: World) -> None:
    world.settle()
    world.edit(spec("b", "Shadow", SHADOW))
    world.run(90)


def changed_in_mid_rollout(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("c"))
    world.run(150)


def tried_again(world: World) -> None:
    world.serve.broken.add(artifact("b")["digest"])
    world.settle()
    world.edit(spec("b"))
    world.run(40)
    world.serve.broken.clear()
    world.annotate("retry")
    world.run(150)


def restarted(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.serve.restart()
    world.run(150)


def held(world: World) -> None:
    world.settle()
    world.edit(spec("b", abortPolicy="Hold"))
    world.until(Phase.PAUSED)
    world.verdicts[B] = Outcome.FAIL
    world.run(30)
    world.annotate("abort")
    world.run(60)


def paused(world: World) -> None:
    world.settle()
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("b", paused=True))
    world.run(60)
    world.edit(spec("b"))
    world.run(120)


def short_of_gpus(world: World) -> None:
    more: dict[str, Any] = {"autoscaling": {"gpusPerReplica": 1}, "maxSurge": {"gpus": 1}}
    world.settle()
    for name in ("b", "c", "a"):
        world.edit(spec(name, **more))
        world.run(110)


PLAYS: dict[Callable[[World], None], tuple[Phase, str]] = {
    promoted: (Phase.HEALTHY, B),
    failed: (Phase.ABORTED, A),
    rolled_back: (Phase.ABORTED, A),
    there_and_back: (Phase.HEALTHY, B),
    blue_green: (Phase.HEALTHY, B),
    shadowed: (Phase.COMPARED, A),
    changed_in_mid_rollout: (Phase.HEALTHY, C),
    tried_again: (Phase.HEALTHY, B),
    restarted: (Phase.HEALTHY, B),
    held: (Phase.ABORTED, A),
    paused: (Phase.HEALTHY, B),
    short_of_gpus: (Phase.HEALTHY, A),
}
points: dict[str, int] = {}


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_killed_at_each_step_it_ends_the_same(play: Callable[[World], None]) -> None:
    """Whatever the operator was about to do when it was killed, the end is the same and nothing was done twice."""
    points[play.__name__] = 0
    for whole, killed in worlds_killed(lambda point: World(spec("a"), kill_at=point), play):
        points[play.__name__] += 1
        end = (killed.said.phase, killed.said.stable_revision)
        assert end == PLAYS[play], killed.kill_at
        assert without_times(killed.status) == without_times(whole.status), killed.kill_at
        assert killed.serve.loads == whole.serve.loads, killed.kill_at
        assert killed.serve.state.revisions == whole.serve.state.revisions, killed.kill_at
        assert killed.serve.weights == whole.serve.weights, killed.kill_at


def test_there_were_enough_kills() -> None:
    """The plays above have enough steps to be killed at."""
    if set(points) == {play.__name__ for play in PLAYS}:
        assert sum(points.values()) >= LEAST_POINTS, points


NAMES = ("a", "b", "c")


@st.composite
def serves(draw: st.DrawFn) -> SimulatedServe:
    """A Serve in which an operator was killed at some time, or whose head was lost."""
    world = World(spec(draw(st.sampled_from(NAMES))))
    world.run(draw(st.integers(0, 12)))
    world.edit(spec(draw(st.sampled_from(NAMES))))
    world.run(draw(st.integers(0, 100)))
    if draw(st.booleans()):
        world.serve.restart()
    return world.serve


@st.composite
def statuses(draw: st.DrawFn, now: Any) -> dict[str, Any]:
    """What another operator may have said: of any time, and not always in agreement with Serve."""

    def record(name: str) -> dict[str, Any]:
        return {"revision": revision(name), **artifact(name), "wasStable": draw(st.booleans())}

    moment = (now + timedelta(seconds=draw(st.integers(-2000, 2000)))).isoformat()
    stable, candidate, retained = (draw(st.sampled_from((None, *NAMES))) for _ in range(3))
    status: dict[str, Any] = {"currentStep": draw(st.integers(0, 9)), "attempt": draw(st.integers(0, 3))}
    status["shadowPercent"] = 10 if status["currentStep"] else 0
    status["weights"] = {"desired": draw(st.sampled_from([0, 20])), "observed": draw(st.sampled_from([0, 20]))}
    if stable:
        status |= {"stable": record(stable), "stableProved": draw(st.booleans())}
    if candidate and candidate != stable:
        status |= {"candidate": record(candidate)}
    if retained and retained not in {stable, candidate}:
        status |= {"retained": [{**record(retained), "until": moment}]}
    for name in draw(st.sets(st.sampled_from(["stepStartedAt", "servingSince"]))):
        status[name] = moment
    return status


# An example is a whole life, and takes minutes to be made smaller.
@hypothesis_settings(max_examples=60, phases=set(hypothesis.Phase) - {hypothesis.Phase.shrink})
@given(st.data())
def test_it_comes_to_rest_from_any_state(data: st.DataObject) -> None:
    """From whatever stands in the status and runs in Serve, the wanted artifact ends up answering, or is held or ended.

    On the way no put breaks a promise of the world (what has requests is never taken away; weights sum to 1).
    """
    serve = data.draw(serves())
    verdicts = {revision(name): data.draw(st.sampled_from([Outcome.PASS, Outcome.FAIL])) for name in NAMES}
    world = World(spec(data.draw(st.sampled_from(NAMES))), verdicts, serve=serve)
    world.status = data.draw(statuses(world.now))
    # who was proved before is not what is looked at here
    world.proved.update(revision(name) for name in NAMES)
    world.settle()
    wanted = revision("abc"[[artifact(name) for name in NAMES].index(world.spec.artifact.model_dump())])
    assert world.said.phase in {Phase.HEALTHY, Phase.ABORTED, Phase.HELD}
    if world.said.phase is Phase.HEALTHY:
        assert world.said.stable_revision == wanted
        assert world.serve.weights[wanted] == 1
    elif world.said.phase is Phase.ABORTED:
        assert world.said.ended is not None
        assert verdicts[wanted] is Outcome.FAIL or world.said.ended.reason == "ProgressDeadlineExceeded"
        assert world.serve.weights.get(wanted, 0.0) == 0
    # until all that is kept for going back had its time
    world.run(700.0)
    world.settle()
    patches = world.patches
    for _ in range(5):
        world.look()
    assert world.patches == patches
