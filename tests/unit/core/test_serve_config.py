"""The rendered configuration of Ray Serve, and the choice of a revision."""

import dataclasses
import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mien_core.errors import Rejected, Unavailable
from mien_core.rules.routing import choose_revision, is_mirrored
from mien_core.rules.serve_config import (
    Revision,
    RevisionOptions,
    ServeOptions,
    Shadowing,
    render,
    revision_name,
)

OPTIONS = ServeOptions()


def revision(seed: object) -> Revision:
    digest = "sha256:" + hashlib.sha256(str(seed).encode()).hexdigest()
    return Revision(revision_name(digest), f"s3://models/{seed}.zip", digest)


A, B, C = revision("a"), revision("b"), revision("c")


@st.composite
def rollouts(draw: st.DrawFn) -> tuple[list[Revision], dict[str, float]]:
    """One to six revisions and weights over some of them that sum to 1."""
    seeds = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True))
    revisions = [revision(seed) for seed in seeds]
    parts = draw(st.lists(st.integers(0, 100), min_size=len(seeds), max_size=len(seeds)))
    assume(sum(parts) > 0)
    weights = {
        one.name: part / sum(parts) for one, part in zip(revisions, parts, strict=True) if part or draw(st.booleans())
    }
    return revisions, weights


def applications(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {application["name"]: application for application in config["applications"]}


def router_weights(config: dict[str, Any]) -> dict[str, float]:
    user_config = applications(config)["router"]["deployments"][0]["user_config"]
    return {name: entry["weight"] for name, entry in user_config["revisions"].items()}


@given(rollouts())
def test_everything_that_shall_run_is_rendered(rollout: tuple[list[Revision], dict[str, float]]) -> None:
    """Each revision is one application beside a router and a composer; the weights sum to 1 over all revisions."""
    revisions, weights = rollout
    config = render(revisions, weights, OPTIONS)
    names = [application["name"] for application in config["applications"]]
    assert sorted(names) == sorted({"router", "poster", *(one.application for one in revisions)})
    assert math.isclose(sum(router_weights(config).values()), 1, abs_tol=1e-6)
    assert set(router_weights(config)) == {one.name for one in revisions}
    for one in revisions:
        assert applications(config)[one.application]["args"]["digest"] == one.digest
    assert json.loads(json.dumps(config)) == config


@given(rollouts(), st.randoms())
def test_rendering_is_deterministic(rollout: tuple[list[Revision], dict[str, float]], random: Any) -> None:
    """The order in which revisions and weights come changes nothing, not even the order of the text."""
    revisions, weights = rollout
    shuffled = random.sample(revisions, len(revisions))
    mixed = dict(random.sample(sorted(weights.items()), len(weights)))
    assert json.dumps(render(revisions, weights, OPTIONS)) == json.dumps(render(shuffled, mixed, OPTIONS))


@given(rollouts(), st.data())
def test_weights_touch_nothing_but_the_routers_user_config(
    rollout: tuple[list[Revision], dict[str, float]], data: st.DataObject
) -> None:
    """When weights move, every application but the router stays as it is, and of the router all but user_config."""
    revisions, weights = rollout
    chosen = data.draw(st.sampled_from(revisions))
    before = render(revisions, weights, OPTIONS)
    after = render(revisions, {chosen.name: 1.0}, OPTIONS)
    for config in (before, after):
        del applications(config)["router"]["deployments"][0]["user_config"]
    assert before == after


@given(rollouts())
def test_a_new_revision_leaves_the_others_alone(rollout: tuple[list[Revision], dict[str, float]]) -> None:
    """Adding a revision, dark, changes no application that ran before, so that none of them restarts."""
    revisions, weights = rollout
    before = applications(render(revisions, weights, OPTIONS))
    after = applications(render([*revisions, revision("new")], weights, OPTIONS))
    for name, application in before.items():
        if name != "router":
            assert after[name] == application


def test_a_full_system_says_so() -> None:
    """Every deployment has a bounded queue: without one Serve would never answer 503."""
    config = applications(render([A], {A.name: 1}, dataclasses.replace(OPTIONS, max_queued_requests=7)))
    assert config[A.application]["deployments"][0]["max_queued_requests"] == 7
    assert config["router"]["deployments"][0]["max_queued_requests"] > 0
    assert config["poster"]["deployments"][0]["max_queued_requests"] == 7


def test_only_the_router_is_reachable_by_http() -> None:
    """A revision has no route of its own: whoever asks for one does so by name, at the router."""
    config = render([A, B], {A.name: 1}, OPTIONS)
    assert {one["name"]: one["route_prefix"] for one in config["applications"]} == {
        "router": "/",
        A.application: None,
        B.application: None,
        "poster": None,
    }


def test_autoscaling_only_where_there_is_room() -> None:
    """Equal bounds are a fixed number of replicas; different ones are Serve's autoscaling."""
    fixed = applications(render([A], {A.name: 1}, OPTIONS))[A.application]["deployments"][0]
    assert fixed["num_replicas"] == 1
    assert "autoscaling_config" not in fixed
    options = dataclasses.replace(OPTIONS, min_replicas=2, max_replicas=5, gpus_per_replica=0.5)
    scaled = applications(render([A], {A.name: 1}, options))[A.application]["deployments"][0]
    assert "num_replicas" not in scaled
    assert (scaled["autoscaling_config"]["min_replicas"], scaled["autoscaling_config"]["max_replicas"]) == (2, 5)
    assert scaled["ray_actor_options"]["num_gpus"] == 0.5


@pytest.mark.parametrize(
    ("revisions", "weights", "code"),
    [
        ([], {}, "no_revision"),
        ([A, A], {A.name: 1.0}, "duplicate_revision"),
        ([A], {A.name: 0.5, B.name: 0.5}, "unknown_revision"),
        ([A, B], {A.name: 0.5, B.name: 0.4}, "weights_do_not_sum_to_one"),
        ([A, B], {}, "weights_do_not_sum_to_one"),
        ([A, B], {A.name: 1.5, B.name: -0.5}, "invalid_weight"),
        ([A], {A.name: math.nan}, "invalid_weight"),
        ([dataclasses.replace(A, name=B.name)], {B.name: 1.0}, "revision_name_mismatch"),
        ([dataclasses.replace(A, digest="sha256:short")], {A.name: 1.0}, "invalid_digest"),
        ([dataclasses.replace(A, artifact_uri="http://models/a.zip")], {A.name: 1.0}, "artifact_uri_unsupported"),
    ],
)
def test_nonsense_is_rejected(revisions: list[Revision], weights: dict[str, float], code: str) -> None:
    """A configuration that can't be meant is refused before it reaches Serve, each kind with its code."""
    with pytest.raises(Rejected) as refusal:
        render(revisions, weights, OPTIONS)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "changed",
    [
        {"http_port": 0},
        {"request_timeout_seconds": 0},
        {"gpus_per_replica": -1},
        {"min_replicas": 0},
        {"min_replicas": 3, "max_replicas": 2},
        {"max_queued_requests": -1},
        {"max_ongoing_requests": 0},
        {"threads_per_replica": 0},
        {"poster_replicas": 0},
        {"poster_max_ongoing_requests": 0},
    ],
)
def test_impossible_options_are_rejected(changed: dict[str, Any]) -> None:
    """Options that Serve would misread (or take as "without limit") are refused by name."""
    with pytest.raises(Rejected, match="invalid_serve_options") as refusal:
        render([A], {A.name: 1}, dataclasses.replace(OPTIONS, **changed))
    assert next(iter(changed)) in refusal.value.detail or "max_replicas" in refusal.value.detail


OWN = RevisionOptions(
    gpus_per_replica=1.0,
    min_replicas=2,
    max_replicas=2,
    target_ongoing_requests=4.0,
    upscale_delay_seconds=1.0,
    downscale_delay_seconds=2.0,
    max_ongoing_requests=3,
    max_queued_requests=9,
)


def test_a_revision_may_run_on_something_else() -> None:
    """Options of a revision hold for it alone; the others keep those of all."""
    own = applications(render([A, dataclasses.replace(B, options=OWN)], {A.name: 1}, OPTIONS))
    everybody = applications(render([A, B], {A.name: 1}, OPTIONS))
    deployment = own[B.application]["deployments"][0]
    assert (deployment["num_replicas"], deployment["max_ongoing_requests"], deployment["max_queued_requests"]) == (
        2,
        3,
        9,
    )
    assert deployment["ray_actor_options"]["num_gpus"] == 1
    assert {name: own[name] for name in own if name != B.application} == {
        name: everybody[name] for name in everybody if name != B.application
    }


def test_what_is_compared_is_told_to_the_router_alone() -> None:
    """Comparing adds what counts, and a word in the router's user_config; without it there is neither."""
    compared = render([A, B], {A.name: 1}, OPTIONS, Shadowing("uid-1", 2, A.name, B.name, 25))
    plain = render([A, B], {A.name: 1}, OPTIONS)
    user_config = applications(compared)["router"]["deployments"][0]["user_config"]
    assert user_config.pop("shadow") == {
        "rollout": "uid-1",
        "step": 2,
        "stable": A.name,
        "candidate": B.name,
        "percent": 25,
    }
    [counting] = [one for one in compared["applications"] if one["name"] == "comparisons"]
    assert counting["route_prefix"] is None
    compared["applications"].remove(counting)
    assert compared == plain


@pytest.mark.parametrize(
    "shadow",
    [
        Shadowing("uid-1", 0, A.name, A.name, 5),
        Shadowing("uid-1", 0, A.name, C.name, 5),
        Shadowing("uid-1", 0, A.name, B.name, 101),
        Shadowing("uid-1", -1, A.name, B.name, 5),
    ],
)
def test_an_impossible_comparison_is_rejected(shadow: Shadowing) -> None:
    """Only two different revisions that run can be compared, of at most all requests."""
    with pytest.raises(Rejected, match="invalid_shadow"):
        render([A, B], {A.name: 1}, OPTIONS, shadow)


def test_impossible_options_of_one_revision_are_rejected() -> None:
    """They are checked as those of all are."""
    with pytest.raises(Rejected, match="invalid_serve_options"):
        render([dataclasses.replace(A, options=dataclasses.replace(OWN, min_replicas=3))], {A.name: 1}, OPTIONS)


SUBJECTS = [f"tenant/user-{number}" for number in range(400)]


@given(rollouts(), st.text())
def test_a_subject_stays_where_it_is(rollout: tuple[list[Revision], dict[str, float]], subject: str) -> None:
    """The same subject gets the same revision as long as the weights are the same, and only one that has weight."""
    _, weights = rollout
    chosen = choose_revision(subject, weights)
    assert chosen == choose_revision(subject, dict(reversed(weights.items())))
    assert weights[chosen] > 0


@given(st.integers(0, 100), st.integers(0, 100))
def test_moving_weight_moves_subjects_one_way_only(before: int, after: int) -> None:
    """When weight goes from one revision to another, subjects go with it and nobody goes the other way."""
    source, target = (A.name, B.name) if after > before else (B.name, A.name)
    moves = moves_between(
        {A.name: (100 - before) / 100, B.name: before / 100, C.name: 0.0},
        {A.name: (100 - after) / 100, B.name: after / 100, C.name: 0.0},
    )
    assert moves <= {(source, target)}


@settings(max_examples=15)
@given(st.integers(0, 100), st.integers(0, 100))
def test_a_move_takes_no_more_subjects_than_weight(before: int, after: int) -> None:
    """Of 2,000 subjects as many move as weight does, give or take what chance gives and takes."""
    subjects = [f"tenant/{number}" for number in range(2000)]
    old, new = ({A.name: 100 - weight, B.name: weight} for weight in (before, after))
    moved = sum(choose_revision(one, old) != choose_revision(one, new) for one in subjects) / len(subjects)
    share = abs(after - before) / 100
    assert abs(moved - share) <= 5 * math.sqrt(share * (1 - share) / len(subjects))


@settings(max_examples=15)
@given(st.integers(0, 100), st.integers(0, 100))
def test_raising_the_percentage_mirrors_more_of_the_same(one: int, other: int) -> None:
    """A higher percentage adds uploads and drops none, and who gets which revision makes no difference."""
    uploads = [f"upload-{number}" for number in range(1000)]
    fewer, more = ({name for name in uploads if is_mirrored(name, percent)} for percent in sorted((one, other)))
    assert fewer <= more
    share = max(one, other) / 100
    allowed = 5 * math.sqrt(share * (1 - share) / len(uploads))
    assert abs(len(more) / len(uploads) - share) <= allowed
    candidates = {name for name in uploads if choose_revision(name, {A.name: 1, B.name: 1}) == B.name}
    assert abs(len(more & candidates) / len(candidates) - share) <= 2 * allowed


@given(st.lists(st.integers(1, 50), min_size=4, max_size=4), st.integers(0, 3), st.integers(0, 3), st.data())
def test_outside_of_a_move_nobody_moves(parts: list[int], source: int, target: int, data: st.DataObject) -> None:
    """Among many revisions, those that don't lie between giver and taker keep all their subjects."""
    assume(source != target)
    moved = data.draw(st.integers(0, parts[source]))
    names = ["a", "b", "c", "d"]
    after = list(parts)
    after[source] -= moved
    after[target] += moved
    low, high = sorted((source, target))
    uninvolved = {name for index, name in enumerate(names) if not low <= index <= high}
    for origin, destination in moves_between(
        dict(zip(names, parts, strict=True)), dict(zip(names, after, strict=True))
    ):
        assert origin not in uninvolved
        assert destination not in uninvolved
        assert (names.index(destination) > names.index(origin)) == (target > source)


def moves_between(before: dict[str, float], after: dict[str, float]) -> set[tuple[str, str]]:
    pairs = {(choose_revision(subject, before), choose_revision(subject, after)) for subject in SUBJECTS}
    return {(origin, destination) for origin, destination in pairs if origin != destination}


def test_shares_are_kept() -> None:
    """A weight of a quarter is a quarter of the subjects, within what chance allows."""
    subjects = [f"upload-{number}" for number in range(20_000)]
    share = sum(choose_revision(subject, {"a": 0.75, "b": 0.25}) == "b" for subject in subjects) / len(subjects)
    assert abs(share - 0.25) < 0.015


def test_without_weights_nobody_answers() -> None:
    """No revision with weight is a passing state, so callers retry."""
    with pytest.raises(Unavailable, match="no_revision_available"):
        choose_revision("somebody", {"a": 0.0})
