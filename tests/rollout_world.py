"""A world for rollouts without Ray: Serve as its REST API shows it, somebody who writes specs, and an operator.

Each step of the operator (putting a configuration, writing the status) is a point where it can be killed.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mien_core.model.comparisons import Comparison, ComparisonWindow
from mien_core.rules.serve_config import ServeOptions
from mien_operator.controller import Resource
from mien_operator.plan import Note, Plan
from mien_operator.rollouts.analysis_spec import AnalysisMetric, Comparator
from mien_operator.rollouts.draft import Observed
from mien_operator.rollouts.judgement import Finding, Judgement, Outcome
from mien_operator.rollouts.reconcile import PutConfiguration, reconcile
from mien_operator.rollouts.serve_state import ServeState, parse
from mien_operator.rollouts.spec import AbortPolicy, ModelRolloutSpec
from mien_operator.rollouts.status import ModelRolloutStatus, Phase

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOADING_SECONDS = 6.0
SETTLING_SECONDS = 0.6
DELETING_SECONDS = 4.0
COMPARING_SECONDS = 3.0
MISMATCH = (
    "Traceback (most recent call last):\n  ...\nmien_core.errors.Rejected: artifact_digest_mismatch: The artifact at "
    "s3://models/x.zip has another digest. Roll out what was built.\n"
)
ROUTER = "router"


def artifact(name: str) -> dict[str, str]:
    """An artifact that nobody has to build."""
    return {"uri": f"s3://models/{name}.zip", "digest": "sha256:" + hashlib.sha256(name.encode()).hexdigest()}


def revision(name: str) -> str:
    """What its revision is called."""
    return "face@" + artifact(name)["digest"][: len("sha256:") + 12]


Steps = Sequence[Mapping[str, Any]]

CANARY: Steps = (
    {"shadow": {"percent": 10}},
    {"analysis": {}},
    {"setWeight": 20},
    {"pause": {"duration": "30s"}},
    {"analysis": {"minimum": "20s"}},
    {"setWeight": 100},
)
BLUE_GREEN: Steps = ({"setCapacity": {"replicas": 2}}, {"shadow": {"percent": 50}}, {"analysis": {}}, {"pause": {}})
SHADOW: Steps = ({"shadow": {"percent": 100}}, {"analysis": {}})


def spec(name: str, kind: str = "Canary", steps: Steps = CANARY, **more: Any) -> ModelRolloutSpec:
    """A spec as somebody would write it."""
    return ModelRolloutSpec.model_validate(
        {
            "modelRef": {"name": "face"},
            "artifact": artifact(name),
            "strategy": {"type": kind},
            "steps": list(steps),
            "analysis": {"metrics": [{"comparator": "Scores"}, {"comparator": "Errors"}]},
            "progressDeadlineSeconds": 60,
            "rollbackWindow": "10m",
            "autoscaling": {"maxReplicas": 3},
            **more,
        }
    )


def user_config(router: Mapping[str, Any]) -> dict[str, Any]:
    """What the router's application is told."""
    told: dict[str, Any] = router["deployments"][0]["user_config"]
    return told


def _told(config: Mapping[str, Any]) -> dict[str, Any]:
    """What Serve says was put: what it took from the whole configuration stands there, too."""
    return {**copy.deepcopy(dict(config)), "logging_config": {"enable_access_log": False}}


@dataclass
class Deployed:
    """An application as Serve has it."""

    config: dict[str, Any]
    status: str
    until: datetime
    message: str = ""
    running: int = 0

    @property
    def wanted_replicas(self) -> int:
        deployment = self.config["deployments"][0]
        return int((deployment.get("autoscaling_config") or {}).get("min_replicas", deployment.get("num_replicas", 1)))


def _state(name: str, deployed: Deployed) -> str:
    """A router that is given other weights takes them in the replicas that it has."""
    return "UPDATING" if name == ROUTER and deployed.status == "DEPLOYING" else "RUNNING"


@dataclass
class SimulatedServe:
    """What Serve's REST API does: a put replaces everything; what is new loads for a while, what is gone drains."""

    now: datetime = BEGIN
    applications: dict[str, Deployed] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    listening: bool = True
    loads: list[str] = field(default_factory=list)
    puts: int = 0
    # the weights that the router's replicas have, and not only those that were put
    weights: dict[str, float] = field(default_factory=dict)
    watch: Callable[[Mapping[str, Any]], None] = lambda _: None
    # what is compared, and since when: it is lost once the router isn't told of it any more
    compared: str = ""
    compared_since: datetime = BEGIN

    def put(self, configuration: Mapping[str, Any]) -> None:
        """Replace everything."""
        self.watch(configuration)
        self.puts += 1
        wanted = {entry["name"]: copy.deepcopy(entry) for entry in configuration["applications"]}
        for name, deployed in self.applications.items():
            if name not in wanted and deployed.status != "DELETING":
                deployed.status, deployed.until = "DELETING", self.now + timedelta(seconds=DELETING_SECONDS)
        for name, config in wanted.items():
            present = self.applications.get(name)
            fresh = (
                present is None
                or present.status == "DELETING"
                or (config["import_path"], config["args"]) != (present.config["import_path"], present.config["args"])
            )
            if fresh and name.startswith("face-"):
                self.loads.append(name)
            seconds = LOADING_SECONDS if fresh else SETTLING_SECONDS
            until = self.now + timedelta(seconds=seconds)
            if not fresh and present is not None and present.status == "DEPLOYING":
                until = max(until, present.until)
            if not fresh and present is not None and present.status == "DEPLOY_FAILED":
                continue
            running = 0 if fresh or present is None else present.running
            self.applications[name] = Deployed(config, "DEPLOYING", until, running=running)
        shadow = user_config(wanted[ROUTER]).get("shadow") if wanted else None
        rollout = shadow["rollout"] if shadow else ""
        if rollout != self.compared:
            self.compared, self.compared_since = rollout, self.now

    def pass_time(self, seconds: float) -> None:
        """Let it work."""
        self.now += timedelta(seconds=seconds)
        for name, deployed in list(self.applications.items()):
            if deployed.until > self.now:
                continue
            if deployed.status == "DELETING":
                del self.applications[name]
            elif deployed.config["args"].get("digest") in self.broken:
                deployed.status, deployed.message = "DEPLOY_FAILED", MISMATCH
            else:
                deployed.status, deployed.running = "RUNNING", deployed.wanted_replicas
        router = self.applications.get(ROUTER)
        if router is not None and router.status == "RUNNING":
            entries = user_config(router.config)["revisions"]
            self.weights = {name: entry["weight"] for name, entry in entries.items()}

    def set_clock(self, by: timedelta) -> None:
        """Set the clock; what lasts lasts as long as before."""
        self.now += by
        self.compared_since += by
        for deployed in self.applications.values():
            deployed.until += by

    def restart(self) -> None:
        """Lose everything, as a head does."""
        self.applications.clear()
        self.weights, self.compared = {}, ""

    def details(self) -> dict[str, Any]:
        """As GET answers."""
        return {
            "proxies": {"node": {"status": "HEALTHY" if self.listening else "STARTING"}},
            "applications": {
                name: {
                    "name": name,
                    "status": deployed.status,
                    "message": "",
                    "deployed_app_config": None if deployed.status == "DELETING" else _told(deployed.config),
                    "deployments": {
                        deployed.config["deployments"][0]["name"]: {
                            "status": deployed.status,
                            "message": deployed.message,
                            "replicas": [{"state": _state(name, deployed)}] * deployed.running,
                        }
                    },
                }
                for name, deployed in self.applications.items()
            },
        }

    @property
    def state(self) -> ServeState:
        return parse(self.details())


def said(outcome: Outcome) -> Judgement:
    """A judgement with one finding."""
    return Judgement(outcome, (Finding(Comparator.SCORES, outcome, f"It is a {outcome}."),), 300)


class Killed(Exception):
    """The operator was killed."""


@dataclass
class World:
    """Somebody, the API server with one rollout, the operator and Serve.

    Args:
        spec: what is wanted.
        verdicts: revision name to what comparisons say of it; those that aren't named pass.
        kill_at: the operator's step, counted from 0, at which it is killed once.
    """

    spec: ModelRolloutSpec
    verdicts: dict[str, Outcome] = field(default_factory=dict)
    kill_at: int = -1
    serve: SimulatedServe = field(default_factory=SimulatedServe)
    status: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    generation: int = 1
    steps: int = 0
    patches: int = 0
    notes: list[Note] = field(default_factory=list)
    plan: Plan[PutConfiguration] = field(default_factory=Plan)
    elder: str = ""
    proved: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    options: ServeOptions = field(default_factory=ServeOptions)

    def __post_init__(self) -> None:
        self.serve.watch = self._check

    @property
    def now(self) -> datetime:
        return self.serve.now

    @property
    def resource(self) -> Resource[ModelRolloutSpec]:
        return Resource("mien", "face", "uid", self.generation, self.annotations, self.spec, self.status, BEGIN)

    @property
    def said(self) -> ModelRolloutStatus:
        return ModelRolloutStatus.model_validate(self.status)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """A condition's status, reason and message."""
        found = next(one for one in self.plan.conditions if one.type == kind)
        return found.status.value, found.reason, found.message

    def edit(self, wanted: ModelRolloutSpec) -> None:
        """Write another spec."""
        self.spec = wanted
        self.generation += 1

    def annotate(self, order: str, value: str = "") -> None:
        """Say something by an annotation."""
        self.annotations = {**self.annotations, f"mien.dev/{order}": value or str(self.generation)}

    def judge(
        self, metrics: Sequence[AnalysisMetric], windows: Sequence[ComparisonWindow], step: int, waited: float
    ) -> Judgement:
        """Say what the test wants, once serving compares what it shall."""
        assert metrics
        assert waited >= 0
        seconds = (self.now - self.serve.compared_since).total_seconds()
        if not windows or windows[-1].comparison.step != step or seconds < COMPARING_SECONDS:
            return said(Outcome.HOLD)
        candidate = windows[-1].comparison.candidate
        verdict = self.verdicts.get(candidate, Outcome.PASS)
        if verdict is Outcome.PASS:
            self.proved.add(candidate)
        if verdict is Outcome.FAIL and self.spec.abort_policy is AbortPolicy.ROLLBACK:
            self.failed.add(windows[-1].comparison.rollout)
        return said(verdict)

    def look(self) -> None:
        """One reconcile, applied as the operator does: actions, notes, status."""
        windows = self._windows()
        observed = Observed(self.serve.state, windows, self.elder)
        resource = self.resource
        plan = reconcile(resource, observed, self.now, self.options, self.judge)
        again = reconcile(resource, observed, self.now, self.options, self.judge)
        assert plan == again, "reconcile is pure"
        for action in plan.actions:
            self._point()
            self.serve.put(action.configuration)
        wanted = {**plan.status, "observedGeneration": self.generation}
        if wanted != self.status:
            self._point()
            self.status = wanted
            self.patches += 1
        self.plan = plan
        self.notes += plan.notes

    def run(self, seconds: float) -> None:
        """Let time pass; the operator looks as often as it said, and once a second at most; a kill restarts it."""
        end = self.now + timedelta(seconds=seconds)
        while True:
            try:
                self.look()
            except Killed:
                self.serve.pass_time(1.0)
                continue
            if self.now >= end:
                return
            pause = self.plan.look_again_seconds or seconds
            self.serve.pass_time(max(1.0, min(pause, (end - self.now).total_seconds())))

    def until(self, phase: Phase, limit: int = 200) -> None:
        """Let time pass until the rollout is in this phase."""
        for _ in range(limit):
            self.run(1.0)
            if self.said.phase is phase:
                return
        raise AssertionError(f"It never was {phase}: {self.status}")

    def settle(self, limit: int = 400) -> None:
        """Look until nothing happens any more."""
        for _ in range(limit):
            before, puts = self.status, self.serve.puts
            try:
                self.look()
            except Killed:
                continue
            finally:
                self.serve.pass_time(1.0)
            resting = {"Healthy", "Compared", "Aborted", "Held", "Refused"}
            loading = any(one.status == "DEPLOYING" for one in self.serve.applications.values())
            if self.status == before and self.serve.puts == puts and self.status["phase"] in resting and not loading:
                return
        raise AssertionError(f"It does not come to rest: {self.status}")

    def _windows(self) -> tuple[ComparisonWindow, ...]:
        router = self.serve.applications.get(ROUTER)
        if router is None or router.status != "RUNNING":
            return ()
        shadow = user_config(router.config).get("shadow")
        if shadow is None:
            return ()
        told = {name: value for name, value in shadow.items() if name != "percent"}
        return (ComparisonWindow(Comparison(**told), BEGIN),)

    def _point(self) -> None:
        self.steps += 1
        if self.steps - 1 == self.kill_at:
            raise Killed

    def _check(self, configuration: Mapping[str, Any]) -> None:
        """What must hold of each configuration that reaches Serve."""
        applications = {entry["name"]: entry for entry in configuration["applications"]}
        if not applications:
            return
        revisions = user_config(applications[ROUTER])["revisions"]
        weights = {name: entry["weight"] for name, entry in revisions.items()}
        assert abs(sum(weights.values()) - 1) < 1e-9, weights
        assert {entry["application"] for entry in revisions.values()} <= set(applications)
        # those that answer: one that Serve gave up on has nothing to lose
        shadow = user_config(applications[ROUTER]).get("shadow")
        if shadow is not None and shadow["rollout"] in self.failed and self._runs(shadow["stable"]):
            assert not weights[shadow["candidate"]], "what failed gets requests again"
        live = {name for name, weight in self.serve.weights.items() if weight > 0 and self._runs(name)}
        for name in live:
            assert name in revisions, f"{name} is taken away while it has requests"
        for name, weight in weights.items():
            if weight == 1 and live and name not in live | self._was_stable():
                assert name in self.proved, f"{name} gets everything without having passed"
            if weight > 0 and live and name not in live:
                assert self._runs(name), f"{name} gets requests and doesn't run"

    def _runs(self, name: str) -> bool:
        live = self.serve.state.revisions.get(name)
        return live is not None and self.serve.applications[live.application].running > 0

    def _was_stable(self) -> set[str]:
        status = self.said
        records = [*status.retained, *([status.stable] if status.stable else [])]
        return {record.revision for record in records if record.was_stable}


def worlds_killed(make: Callable[[int], World], play: Callable[[World], None]) -> Iterator[tuple[World, World]]:
    """The same play with the operator killed at each of its steps, beside the play without a kill."""
    whole = make(-1)
    play(whole)
    for point in range(whole.steps):
        killed = make(point)
        play(killed)
        yield whole, killed


def without_times(status: Mapping[str, Any]) -> Any:
    """What a status says, whenever it says it."""

    def stripped(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: stripped(one) for key, one in value.items() if key not in _TIMES}
        if isinstance(value, list):
            return [stripped(one) for one in value]
        return value

    return stripped(status)


_TIMES = {"at", "until", "startedAt", "endedAt", "stepStartedAt", "servingSince"}

__all__ = ["World", "artifact", "replace", "revision", "spec", "without_times", "worlds_killed"]
