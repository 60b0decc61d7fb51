"""What reconcile decides, in a world without Ray."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from mien_operator.plan import NoteType
from mien_operator.rollouts.draft import Observed
from mien_operator.rollouts.judgement import Outcome
from mien_operator.rollouts.reconcile import reconcile
from mien_operator.rollouts.status import Phase
from tests.rollout_world import BEGIN, BLUE_GREEN, SHADOW, Steps, World, artifact, revision, spec

A, B, C = revision("a"), revision("b"), revision("c")


@pytest.fixture
def world() -> World:
    """A world where a is stable."""
    world = World(spec("a"))
    world.settle()
    assert (world.said.phase, world.said.stable_revision) == (Phase.HEALTHY, A)
    return world


def outcomes(world: World) -> list[tuple[str, str]]:
    return [(entry.revision, entry.outcome) for entry in world.said.history]


def test_the_first_revision_answers_as_soon_as_it_runs() -> None:
    """With nothing to compare it to, it takes no steps; the status says what answers and what Serve was told."""
    world = World(spec("a"))
    world.look()
    assert (world.said.phase, world.said.step) == (Phase.LOADING, "0/6")
    assert world.condition("Ready")[:2] == ("False", "StableNotRunning")
    world.settle()
    assert world.said.step == "6/6"
    assert outcomes(world) == [(A, "First")]
    assert world.condition("Ready") == ("True", "Serving", f"{A} answers.")
    assert (world.said.weights.desired, world.said.weights.observed) == (100, 100)
    assert world.said.autoscaling is not None
    assert (world.said.autoscaling.max_replicas, world.said.autoscaling.stable_replicas) == (3, 1)


def test_nobody_is_ready_before_requests_can_come_in() -> None:
    """Serve's HTTP proxy may need longer than the first revision; until then nothing is called healthy."""
    world = World(spec("a"))
    world.serve.listening = False
    world.run(60)
    assert world.said.stable_proved
    assert world.said.phase is Phase.PROGRESSING
    assert world.condition("Ready")[:2] == ("False", "ProxyNotRunning")
    world.serve.listening = True
    world.run(2)
    assert (world.said.phase, world.condition("Ready")[0]) == (Phase.HEALTHY, "True")


def test_it_stays_ready_while_the_router_takes_other_weights(world: World) -> None:
    """Requests wait for that, and nobody hears an error: who watches READY isn't called."""
    world.edit(spec("b"))
    ready = set()
    while world.said.stable_revision != B:
        world.look()
        ready.add(world.condition("Ready"))
        world.serve.pass_time(0.3)
        assert world.now < BEGIN + timedelta(hours=1)
    assert {status for status, _, _ in ready} == {"True"}


def test_a_good_candidate_is_promoted_step_by_step(world: World) -> None:
    """Weight follows analysis, and the old revision stays loaded for the rollback window and no longer."""
    world.edit(spec("b"))
    seen = []
    for _ in range(150):
        world.run(1.0)
        seen.append(world.serve.weights.get(B, 0.0))
    assert list(dict.fromkeys(seen)) == [0.0, 0.2, 1.0]
    assert (world.said.phase, world.said.stable_revision, world.said.step) == (Phase.HEALTHY, B, "6/6")
    assert [run.outcome for run in world.said.analysis_runs] == ["pass", "pass"]
    assert [one.revision for one in world.said.retained] == [A]
    assert A in world.serve.state.revisions
    world.run(700)
    assert world.said.retained == ()
    assert set(world.serve.state.revisions) == {B}
    assert "Healed" not in {note.reason for note in world.notes}


def test_what_compares_is_loaded_with_the_candidate(world: World) -> None:
    """Both load at once, so that nobody waits for the one after the other; nothing is copied before a step says so."""
    world.edit(spec("b"))
    world.until(Phase.LOADING)
    world.run(1)
    assert world.said.phase is Phase.LOADING
    assert "comparisons" in world.serve.applications
    assert (world.serve.state.shadow["candidate"], world.serve.state.shadow["percent"]) == (B, 0)
    world.settle()
    world.run(10)
    assert "comparisons" not in world.serve.applications


def test_a_bad_candidate_gives_everything_back_and_is_not_tried_again(world: World) -> None:
    """A failed analysis ends the rollout with what was found; the same artifact waits for a retry or another one."""
    world.verdicts[B] = Outcome.FAIL
    world.edit(spec("b"))
    world.until(Phase.ABORTED)
    world.run(60)
    assert outcomes(world)[-1] == (B, "Aborted")
    status, reason, message = world.condition("Degraded")
    assert (status, reason) == ("True", "AnalysisFailed")
    assert "It is a fail." in message
    assert "mien.dev/retry=2" in message
    assert world.condition("Ready")[0] == "True"
    assert set(world.serve.state.revisions) == {A}
    world.verdicts.clear()
    world.annotate("retry")
    world.run(200)
    assert (world.said.phase, world.said.stable_revision) == (Phase.HEALTHY, B)


@pytest.mark.parametrize("verdict", [Outcome.FAIL, Outcome.PASS])
def test_what_is_over_is_said_once(world: World, verdict: Outcome) -> None:
    """While Serve still tidies up, neither phase nor Degraded goes back to what it was before."""
    world.verdicts[B] = verdict
    world.edit(spec("b"))
    seen = []
    while world.now < BEGIN + timedelta(minutes=10):
        world.look()
        seen.append((world.said.phase, world.condition("Degraded")[:2]))
        world.serve.pass_time(0.3)
    failed = verdict is Outcome.FAIL
    last = (Phase.ABORTED, ("True", "AnalysisFailed")) if failed else (Phase.HEALTHY, ("False", "AsWanted"))
    first = seen.index(last)
    assert set(seen[first:]) == {last}
    degraded = [one for _, one in seen[1:]]
    assert len([after for before, after in pairwise(degraded) if before != after]) == failed


def test_a_candidate_that_turns_bad_under_weight_is_caught_outside_of_analysis_steps(world: World) -> None:
    """While it has requests it is judged at every look, also in a pause."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    assert world.serve.weights[B] == 0.2
    world.verdicts[B] = Outcome.FAIL
    world.run(10)
    assert world.serve.weights.get(B, 0.0) == 0
    assert world.said.phase is Phase.ABORTED


def test_hold_leaves_the_weights_for_a_person(world: World) -> None:
    """With abortPolicy Hold a failed analysis stops there; abort goes back, retry compares again."""
    world.edit(spec("b", abortPolicy="Hold"))
    world.until(Phase.PAUSED)
    world.verdicts[B] = Outcome.FAIL
    world.run(30)
    assert (world.said.phase, world.serve.weights[B]) == (Phase.HELD, 0.2)
    assert "mien.dev/abort=2" in world.condition("Degraded")[2]
    world.annotate("abort")
    world.run(5)
    assert (world.said.phase, world.serve.weights.get(B, 0.0)) == (Phase.ABORTED, 0.0)


def test_no_data_never_promotes(world: World) -> None:
    """Without samples a rollout waits for ever, and says so."""
    world.verdicts[B] = Outcome.HOLD
    world.edit(spec("b"))
    world.run(3000)
    assert (world.said.phase, world.said.current_step) == (Phase.ANALYSING, 1)
    assert world.serve.weights.get(B, 0.0) == 0


def test_an_inconclusive_analysis_asks_a_person(world: World) -> None:
    """It goes on only after promote, which is followed once."""
    world.verdicts[B] = Outcome.INCONCLUSIVE
    world.edit(spec("b"))
    world.until(Phase.HELD)
    world.run(500)
    assert (world.said.phase, world.said.current_step) == (Phase.HELD, 1)
    world.proved.add(B)
    world.annotate("promote")
    world.run(100)
    assert (world.said.phase, world.said.current_step) == (Phase.HELD, 4)
    assert "mien.dev/promote=2.2" in world.condition("Progressing")[2]
    world.annotate("promote", "2.2")
    world.run(50)
    assert world.said.stable_revision == B


@pytest.mark.parametrize("order", ["promote", "abort", "retry"])
def test_an_annotation_for_another_generation_does_nothing(world: World, order: str) -> None:
    """What was left from an earlier spec, or isn't understood, is passed over."""
    world.edit(spec("b", "BlueGreen", BLUE_GREEN))
    world.until(Phase.PAUSED)
    before = world.said
    for value in ("1", "3", "true", "2x", "-2"):
        world.annotate(order, value)
        world.run(5)
        assert world.said == before


def test_blue_green_shifts_everything_once_a_person_agrees(world: World) -> None:
    """No request goes to the candidate before its last step is done, then all do; it has its replicas before."""
    world.edit(spec("b", "BlueGreen", BLUE_GREEN))
    world.until(Phase.PAUSED)
    assert world.said.step == "4/4"
    assert world.serve.applications[world.serve.state.revisions[B].application].running == 2
    assert world.serve.weights.get(B, 0.0) == 0
    world.annotate("promote")
    world.run(10)
    assert (world.said.phase, world.said.stable_revision, world.serve.weights[B]) == (Phase.HEALTHY, B, 1.0)


def test_a_shadow_never_answers(world: World) -> None:
    """It is compared and unloaded; the stable revision answers all the time."""
    world.edit(spec("b", "Shadow", SHADOW))
    heaviest = 0.0
    for _ in range(60):
        world.run(1.0)
        heaviest = max(heaviest, world.serve.weights.get(B, 0.0))
    assert heaviest == 0
    assert (world.said.phase, outcomes(world)[-1]) == (Phase.COMPARED, (B, "Compared"))
    assert set(world.serve.state.revisions) == {A}


def test_going_back_to_a_revision_that_is_still_loaded_is_at_once(world: World) -> None:
    """A to B to A within the window takes one put and no steps; and back to B again likewise."""
    world.edit(spec("b"))
    world.until(Phase.HEALTHY)
    loads = list(world.serve.loads)
    for back, name in (("a", A), ("b", B), ("a", A)):
        world.edit(spec(back))
        world.run(2.0)
        assert world.serve.weights[name] == 1
        assert (world.said.phase, world.said.stable_revision) == (Phase.HEALTHY, name)
    assert outcomes(world)[-3:] == [(A, "Returned"), (B, "Returned"), (A, "Returned")]
    assert world.serve.loads == loads


def test_going_back_to_a_revision_that_is_gone_takes_the_steps(world: World) -> None:
    """After the window it is a candidate like any other."""
    world.edit(spec("b", rollbackWindow="20s"))
    world.until(Phase.HEALTHY)
    world.run(60)
    world.edit(spec("a", rollbackWindow="20s"))
    world.run(1.0)
    assert (world.said.stable_revision, world.said.candidate_revision) == (B, A)
    world.until(Phase.HEALTHY)
    assert outcomes(world)[-1] == (A, "Promoted")


def test_going_back_in_mid_rollout_leaves_the_candidate(world: World) -> None:
    """The stable revision gets everything at once."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("a"))
    world.run(2.0)
    assert world.serve.weights[A] == 1
    assert (world.said.phase, outcomes(world)[-1]) == (Phase.HEALTHY, (B, "Superseded"))
    world.run(60)
    assert set(world.serve.state.revisions) == {A}


def test_another_artifact_in_mid_rollout_begins_anew(world: World) -> None:
    """The stable revision stays stable, the first candidate goes, and the second takes all steps."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("c"))
    world.run(2.0)
    assert world.serve.weights == {A: 1.0, B: 0.0, C: 0.0}
    assert (world.said.stable_revision, world.said.candidate_revision, world.said.current_step) == (A, C, 0)
    world.until(Phase.HEALTHY)
    assert outcomes(world)[1:] == [(B, "Superseded"), (C, "Promoted")]


def test_edited_steps_don_t_move_weight_by_themselves(world: World) -> None:
    """Weight is what the last step that ran gave, whatever the steps say now."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    steps: Steps = [{"shadow": {"percent": 10}}, {"analysis": {}}, {"setWeight": 90}, {"pause": {}}, {"setWeight": 100}]
    world.edit(spec("b", steps=steps))
    world.run(20)
    assert (world.said.phase, world.serve.weights[B]) == (Phase.PAUSED, 0.2)


def test_steps_that_were_cut_short_don_t_promote_what_nobody_compared(world: World) -> None:
    """Even where a schema let it through, no candidate gets all requests without an analysis that passed."""
    world.edit(spec("b", steps=[{"setWeight": 20}, {"setWeight": 100}]))
    world.run(300)
    assert (world.said.phase, world.condition("Degraded")[1]) == (Phase.HELD, "AnalysisMissing")
    assert world.serve.weights[B] == 0.2


def test_pausing_stops_where_it_is(world: World) -> None:
    """spec.paused keeps weights; aborting works meanwhile; resuming goes on."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("b", paused=True))
    world.run(300)
    assert (world.said.phase, world.serve.weights[B]) == (Phase.PAUSED, 0.2)
    assert world.condition("Paused")[:2] == ("True", "PausedBySpec")
    world.edit(spec("b"))
    world.until(Phase.HEALTHY)
    assert world.said.stable_revision == B


def test_abort_while_paused_is_followed(world: World) -> None:
    """Nobody has to resume what shall end."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.edit(spec("b", paused=True))
    world.annotate("abort")
    world.run(2.0)
    assert (world.said.phase, world.serve.weights[A]) == (Phase.ABORTED, 1.0)
    assert world.condition("Degraded")[1] == "AbortRequested"


def test_an_artifact_that_is_not_what_it_should_be_says_so(world: World) -> None:
    """Serving's own words reach the condition, with what to do; the stable revision never noticed."""
    world.serve.broken.add(artifact("b")["digest"])
    world.edit(spec("b"))
    world.until(Phase.ABORTED)
    _, reason, message = world.condition("Degraded")
    assert reason == "ArtifactDigestMismatch"
    assert "Roll out what was built." in message
    assert world.condition("Ready")[0] == "True"
    world.serve.broken.clear()
    world.annotate("retry")
    world.until(Phase.HEALTHY)
    assert world.said.stable_revision == B


def test_a_first_revision_that_can_t_be_loaded_says_so_and_is_tried_again() -> None:
    """Retry takes everything from Serve and puts it again, since Serve has given up."""
    world = World(spec("a"))
    world.serve.broken.add(artifact("a")["digest"])
    world.run(30)
    status, reason, message = world.condition("Degraded")
    assert (status, reason) == ("True", "StableBroken")
    assert "Roll out what was built." in message
    world.serve.broken.clear()
    world.annotate("retry")
    world.run(30)
    assert (world.said.phase, world.said.stable_revision) == (Phase.HEALTHY, A)


def test_another_first_artifact_replaces_one_that_never_ran() -> None:
    """There is nothing to compare it with and nothing to protect."""
    world = World(spec("a"))
    world.serve.broken.add(artifact("a")["digest"])
    world.run(30)
    world.edit(spec("b"))
    world.run(30)
    assert (world.said.phase, world.said.stable_revision) == (Phase.HEALTHY, B)
    assert set(world.serve.state.revisions) == {B}


def test_a_candidate_that_never_gets_ready_is_aborted(world: World) -> None:
    """After the progress deadline, with what it waited for."""
    world.edit(spec("b", "BlueGreen", [{"setCapacity": {"replicas": 3}}, *BLUE_GREEN[1:]]))
    world.look()
    application = world.serve.state.revisions[B].application
    for _ in range(90):
        world.run(1.0)
        if application in world.serve.applications and world.said.phase is Phase.LOADING:
            world.serve.applications[application].until = world.now + timedelta(hours=1)
    assert (world.said.phase, world.condition("Degraded")[1]) == (Phase.ABORTED, "ProgressDeadlineExceeded")
    assert "60 s" in world.condition("Degraded")[2]


def test_a_candidate_that_does_not_fit_waits_and_says_so(world: World) -> None:
    """It needs more GPUs than maxSurge allows: nothing is loaded until somebody changes that."""
    gpus = {"minReplicas": 2, "maxReplicas": 4, "gpusPerReplica": 1}
    world.edit(spec("b", autoscaling=gpus, maxSurge={"gpus": 1}))
    world.run(500)
    assert (world.said.phase, world.condition("Progressing")[1]) == (Phase.PENDING, "SurgeTooSmall")
    assert "needs 2 GPUs" in world.condition("Progressing")[2]
    assert set(world.serve.state.revisions) == {A}
    world.edit(spec("b", autoscaling=gpus, maxSurge={"gpus": 3}))
    world.run(8.0)
    live = world.serve.state.revisions[B].options
    assert live is not None
    assert (live.min_replicas, live.max_replicas, live.gpus_per_replica) == (2, 3, 1)
    world.until(Phase.HEALTHY)


def test_what_is_kept_for_going_back_makes_room(world: World) -> None:
    """A candidate that would fit without it gets its GPUs, and an Event says that going back takes longer now."""
    more: dict[str, Any] = {"autoscaling": {"gpusPerReplica": 1}, "maxSurge": {"gpus": 1}}
    world.edit(spec("b", **more))
    world.until(Phase.HEALTHY)
    world.edit(spec("c", **more))
    world.until(Phase.HEALTHY)
    assert {one.revision for one in world.said.retained} == {A, B}
    world.edit(spec("d", **more))
    world.run(3.0)
    assert "Released" in {note.reason for note in world.notes}
    assert B not in world.serve.state.revisions
    assert world.said.candidate_revision == revision("d")


def test_nothing_is_healthy_while_nobody_answers(world: World) -> None:
    """A stable revision that has to be loaded again, as after a restart, may come later than the router."""
    [stable] = [name for name in world.serve.applications if name.startswith("face-")]
    world.serve.applications[stable].status, world.serve.applications[stable].running = "DEPLOYING", 0
    world.serve.applications[stable].until = world.now + timedelta(seconds=20)
    world.run(5)
    assert world.said.phase is Phase.LOADING
    assert world.condition("Ready")[:2] == ("False", "StableNotRunning")
    world.run(20)
    assert (world.said.phase, world.condition("Ready")[0]) == (Phase.HEALTHY, "True")


def test_a_restarted_head_is_healed(world: World) -> None:
    """Everything is put again, in mid-rollout, and the candidate has its share again as soon as it runs, not before."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.serve.restart()
    world.look()
    assert set(world.serve.state.revisions) == {A, B}
    assert world.serve.state.weights[A] == 1.0
    world.until(Phase.PAUSED)
    assert world.serve.state.weights == {A: 0.8, B: 0.2}
    assert [note.reason for note in world.notes if note.type is NoteType.WARNING] == ["Healed"]
    world.until(Phase.HEALTHY)
    assert world.said.stable_revision == B


def test_weights_that_somebody_else_put_are_put_back(world: World) -> None:
    """There is one writer."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    router = world.serve.applications["router"].config["deployments"][0]["user_config"]["revisions"]
    router[A]["weight"], router[B]["weight"] = 0.0, 1.0
    world.look()
    assert world.serve.state.weights == {A: 0.8, B: 0.2}
    assert world.notes[-1].reason == "Healed"


def test_what_answers_already_is_adopted(world: World) -> None:
    """A status that was lost, as after a restore from a backup, is made anew from what runs."""
    anew = World(spec("b"), serve=world.serve)
    anew.look()
    assert (anew.said.stable_revision, anew.said.candidate_revision) == (A, B)
    assert outcomes(anew) == [(A, "Adopted")]


def test_a_younger_rollout_of_the_same_model_is_refused() -> None:
    """It touches nothing, and says which one is older; it takes over when that one is gone."""
    world = World(spec("b"), elder="mien/face")
    world.run(100)
    assert (world.said.phase, world.serve.puts, world.patches) == (Phase.REFUSED, 0, 1)
    assert world.condition("Ready")[:2] == ("False", "Conflict")
    assert "mien/face" in world.condition("Degraded")[2]
    world.elder = ""
    world.settle()
    assert world.said.phase is Phase.HEALTHY


def test_a_clock_that_jumps_back_breaks_nothing(world: World) -> None:
    """Pauses begin anew, what is kept is kept no longer than the window, and the rollout ends well."""
    world.edit(spec("b"))
    world.until(Phase.PAUSED)
    world.serve.set_clock(-timedelta(days=30))
    world.until(Phase.HEALTHY)
    assert world.said.stable_revision == B
    world.run(700)
    assert set(world.serve.state.revisions) == {B}


def test_a_thousand_idle_rollouts_change_nothing(world: World) -> None:
    """At rest a look leads to no action, no Event and no other status; so it is for each of a thousand."""
    worlds = [world]
    refused, adopting = spec("b"), spec("a")
    for number in range(999):
        other = World(refused, elder="mien/face") if number % 2 else World(adopting, serve=world.serve)
        other.look()
        other.look()
        worlds.append(other)
    before = [(one.patches, len(one.notes), one.serve.puts) for one in worlds]
    world.serve.pass_time(1000)
    for one in worlds:
        one.look()
    assert [(one.patches, len(one.notes), one.serve.puts) for one in worlds] == before


def test_deleting_a_rollout_takes_the_model_from_nobody(world: World) -> None:
    """Serve goes on as it is, and the resource may go."""
    resource = replace(world.resource, deleting=True)
    plan = reconcile(resource, Observed(world.serve.state), world.now, world.options, world.judge)
    assert plan.released
    assert plan.actions == ()
