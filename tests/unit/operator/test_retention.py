"""What follows from a RetentionPolicy: when runs are asked for, who approves them, and what people are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mien_core.errors import Rejected
from mien_core.model.data_classes import DataClass
from mien_core.model.retention import RetentionRule, RunMode, Store
from mien_core.rules.expiry import SETTLED
from mien_core.rules.retention import PREFIXES
from mien_operator.controller import Resource
from mien_operator.plan import Plan, Truth
from mien_operator.retention.reconcile import Action, Approve, Ask, Observed, Stop, reconcile, run_id_of
from mien_operator.retention.report import APPROVE
from mien_operator.retention.runs import Run, wanted_of
from mien_operator.retention.schedule import Schedule
from mien_operator.retention.spec import (
    Mode,
    RetentionPolicySpec,
    RetentionPolicyStatus,
    Rule,
    duration,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)
UID = "0b0f9f0c-8b86-4011-b42d-00cf4fc964ff"
SPEC: Mapping[str, Any] = {
    "schedule": "0 3 * * *",
    "rules": [{"store": "s3", "dataClass": "photos", "ttl": "30d", "gracePeriod": "12h"}],
}


def policy(spec: Mapping[str, Any] | None = None, **fields: Any) -> Resource[RetentionPolicySpec]:
    defaults: dict[str, Any] = {
        "namespace": "mien",
        "name": "photos",
        "uid": UID,
        "generation": 1,
        "annotations": {},
        "spec": RetentionPolicySpec.model_validate({**SPEC, **(spec or {})}),
        "status": {},
        "created_at": NOON - timedelta(days=10),
    }
    return Resource(**{**defaults, **fields})


def run_of(resource: Resource[RetentionPolicySpec], scheduled_at: datetime = NIGHT, **fields: Any) -> Run:
    """The run of a moment, as the api shows it."""
    counts = {"total": 100, "listed": 10, "size": 1000, "deleted": 0, "held": 0, "skipped": 0}
    wanted = wanted_of(resource.spec)
    shown = {
        "id": run_id_of(resource.uid, scheduled_at),
        "scheduledAt": scheduled_at,
        "state": "done",
        "reason": None,
        "counts": counts,
        "asOf": scheduled_at + timedelta(seconds=1),
        "expiresAt": None,
        "endedAt": None,
        **wanted,
        "rules": [{**rule, "counts": counts} for rule in wanted["rules"]],
    }
    return Run.model_validate({**shown, **fields})


def told(run: Run) -> Mapping[str, Any]:
    """The status of who has told all of a run."""
    return reconcile(policy(), Observed(run), NOON).status


def proposal(resource: Resource[RetentionPolicySpec], **fields: Any) -> Run:
    expires = {"state": "proposed", "reason": "approval_required", "expiresAt": NIGHT + timedelta(days=7)}
    return run_of(resource, **{**expires, **fields})


def conditions(plan: Plan[Action]) -> dict[str, tuple[Truth, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in plan.conditions}


def test_the_modes_are_cores() -> None:
    """What a policy may name is what the platform knows."""
    assert set(Mode) == {one.value for one in RunMode}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("24h", 86_400), ("30d", 2_592_000), ("1w", 604_800), ("0m", 0)]
)
def test_lengths_of_time_are_read_as_they_are_written(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": "0 3 * *"},
        {"schedule": "@daily"},
        {"timeZone": "../etc/passwd"},
        {"rules": []},
        {"mode": "Yolo"},
        {"proposalTtl": "-1d"},
        {"rules": [{"store": "s3", "dataClass": "photos", "ttl": "-1d"}]},
        {"rules": [{"store": "s3", "dataClass": "photos", "ttl": "1.5d"}]},
        {"rules": [{"store": "s3", "dataClass": "selfies", "ttl": "1d"}]},
        {"rules": [{"store": "s3", "dataClass": "photos", "ttl": "1d", "action": "detach"}]},
        {"limits": {"maxPercentPerRun": 0}},
        {"limits": {"rowsPerSecond": -1}},
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_a_policy(wrong: Mapping[str, Any]) -> None:
    """By types, ranges and patterns, which are the CRD's schema."""
    with pytest.raises(ValidationError):
        policy(wrong)


def test_a_run_is_asked_for_when_its_moment_has_come() -> None:
    """With all that the policy wants, and under an id that is the moment's."""
    plan = reconcile(policy(), Observed(None), NOON)
    assert plan.actions == (Ask(run_id_of(UID, NIGHT), NIGHT, wanted_of(policy().spec)),)
    assert plan.actions[0].wanted["rules"] == [
        {"store": "s3", "dataClass": "photos", "ttlSeconds": 2_592_000, "graceSeconds": 43_200}
    ]
    assert plan.status["nextRunAt"] == "2026-11-22T03:00:00Z"


def test_nothing_is_asked_for_before_the_first_moment() -> None:
    """A policy that is an hour old waits for its first night."""
    plan = reconcile(policy(created_at=NOON - timedelta(hours=1)), Observed(None), NOON)
    assert (plan.actions, plan.status["phase"], plan.status["lastRun"]) == ((), "Waiting", None)
    assert plan.look_again_seconds == 3600


def test_a_moment_is_asked_for_once() -> None:
    """Whatever became of its run."""
    for state in ("done", "stopped", "failed"):
        plan = reconcile(policy(), Observed(run_of(policy(), state=state)), NOON)
        assert plan.actions == ()
    status = RetentionPolicyStatus.model_validate(plan.status)
    assert status.last_run is not None
    assert (status.last_run.state, status.last_run.listed) == ("failed", 10)
    assert conditions(plan)["Degraded"] == (Truth.TRUE, "RunFailed")
    done = reconcile(policy(), Observed(run_of(policy())), NOON)
    assert conditions(done)["Degraded"] == (Truth.FALSE, "AsExpected")


def test_of_missed_moments_only_the_latest_is_made_up_for() -> None:
    """The operator was away for a week."""
    long_ago = NIGHT - timedelta(days=7)
    run = run_of(policy(), long_ago)
    [ask] = reconcile(policy(status=told(run)), Observed(run), NOON).actions
    assert isinstance(ask, Ask)
    assert ask.scheduled_at == NIGHT


def test_a_clock_that_was_ahead_doesnt_stop_the_schedule() -> None:
    """A run was asked for of next year; what counts is when the database noted it."""
    ahead = run_of(policy(), NIGHT + timedelta(days=365), asOf=NIGHT - timedelta(days=1) + timedelta(seconds=9))
    [ask] = reconcile(policy(status=told(ahead)), Observed(ahead), NOON).actions
    assert isinstance(ask, Ask)
    assert ask.scheduled_at == NIGHT


def test_a_database_whose_clock_is_behind_changes_nothing() -> None:
    """The run was noted before its moment, by that clock."""
    plan = reconcile(policy(), Observed(run_of(policy(), asOf=NIGHT - timedelta(minutes=5))), NOON)
    assert plan.actions == ()


def test_a_proposal_waits_for_the_annotation_that_names_it() -> None:
    """Another run's id, or none, approves nothing; status says what would go, and how to approve it."""
    for annotations, reason in (({}, "AwaitingApproval"), ({APPROVE: str(uuid4())}, "ApprovalIgnored")):
        resource = policy(annotations=annotations)
        plan = reconcile(resource, Observed(proposal(resource)), NOON)
        assert plan.actions == ()
        assert conditions(plan)["Progressing"] == (Truth.FALSE, reason)
        assert APPROVE in next(one.message for one in plan.conditions if one.type == "Progressing")
        assert plan.status["proposal"]["runId"] == run_id_of(UID, NIGHT)
        assert plan.status["proposal"]["counts"] == [
            {"store": "s3", "dataClass": "photos", "listed": 10, "total": 100, "bytes": 1000}
        ]
    approved = policy(annotations={APPROVE: run_id_of(UID, NIGHT)})
    assert reconcile(approved, Observed(proposal(approved)), NOON).actions == (Approve(run_id_of(UID, NIGHT)),)


def test_it_is_told_once_that_a_proposal_waits() -> None:
    """Who looks each minute doesn't say so each minute."""
    asked = reconcile(policy(), Observed(proposal(policy(), state="listing")), NOON)
    first = reconcile(policy(status=asked.status), Observed(proposal(policy())), NOON)
    again = reconcile(policy(status=first.status), Observed(proposal(policy())), NOON)
    assert ([note.reason for note in first.notes], again.notes) == (["RunProposed"], ())


def test_an_expired_proposal_is_withdrawn_whatever_the_annotation_says() -> None:
    """Then that is told, and the latest moment that came meanwhile is asked for."""
    resource = policy(annotations={APPROVE: run_id_of(UID, NIGHT)})
    late = NOON + timedelta(days=7)
    withdrawn = reconcile(resource, Observed(proposal(resource)), late)
    assert withdrawn.actions == (Stop(run_id_of(UID, NIGHT), "proposal_expired"),)
    stopped = proposal(resource, state="stopped", reason="proposal_expired")
    then = reconcile(policy(status=withdrawn.status), Observed(stopped), late)
    assert ([note.reason for note in then.notes], then.actions) == (["ProposalExpired"], ())
    assert then.look_again_seconds == 0
    [ask] = reconcile(policy(status=then.status), Observed(stopped), late).actions
    assert isinstance(ask, Ask)
    assert ask.scheduled_at == NIGHT + timedelta(days=7)


def test_too_much_at_once_is_degraded_and_says_what_to_do() -> None:
    """Also where the policy enforces: with the numbers, and the annotation."""
    resource = policy({"mode": "Enforce", "limits": {"maxPercentPerRun": 5}})
    plan = reconcile(resource, Observed(proposal(resource, reason="too_many")), NOON)
    degraded = next(one for one in plan.conditions if one.type == "Degraded")
    assert (degraded.status, degraded.reason) == (Truth.TRUE, "TooMany")
    assert "10 of 100 photos in s3" in degraded.message
    assert f"{APPROVE}={run_id_of(UID, NIGHT)}" in degraded.message
    assert plan.actions == ()


def test_only_what_is_too_much_is_named() -> None:
    """Of two rules that which goes over the limit, and not the one that just keeps it."""
    rules = [SPEC["rules"][0], {"store": "s3", "dataClass": "derived_images", "ttl": "30d"}]
    resource = policy({"rules": rules, "limits": {"maxPercentPerRun": 10}})
    run = proposal(resource, reason="too_many")
    too_many = run.rules[0].counts.model_copy(update={"listed": 11})
    run = run.model_copy(update={"rules": (run.rules[0].model_copy(update={"counts": too_many}), run.rules[1])})
    degraded = next(one for one in reconcile(resource, Observed(run), NOON).conditions if one.type == "Degraded")
    assert "would go: 11 of 100 photos in s3. " in degraded.message


def test_a_proposal_is_looked_at_when_it_expires_and_not_all_the_time() -> None:
    """In time for its withdrawal, at most once a second."""
    run = proposal(policy())
    assert run.expires_at is not None
    for left, pause in ((10.0, 10.0), (0.2, 1.0)):
        plan = reconcile(policy(), Observed(run), run.expires_at - timedelta(seconds=left))
        assert plan.look_again_seconds == pause


@pytest.mark.parametrize("state", ["listing", "proposed", "approved", "deleting"])
def test_a_policy_that_changes_stops_its_run(state: str) -> None:
    """What is under way is no longer what is wanted; the next moment's run is. Another schedule changes nothing."""
    run = proposal(policy(), state=state)
    for change in (
        {"mode": "Enforce"},
        {"rules": [{**SPEC["rules"][0], "ttl": "60d"}]},
        {"selector": {"tenants": ["a"]}},
    ):
        assert reconcile(policy(change), Observed(run), NOON).actions == (Stop(run.id, "policy_changed"),)
    assert reconcile(policy({"schedule": "0 4 * * *"}), Observed(run), NOON).actions == ()
    paused = reconcile(policy({"paused": True}), Observed(run), NOON)
    assert paused.actions == (Stop(run.id, "policy_paused"),)
    assert conditions(paused)["Paused"] == (Truth.TRUE, "PausedBySpec")


def test_a_paused_policy_asks_for_nothing() -> None:
    """However many moments come."""
    plan = reconcile(policy({"paused": True}), Observed(None), NOON)
    assert (plan.actions, plan.status["phase"], plan.status["nextRunAt"]) == ((), "Paused", None)


@pytest.mark.parametrize("state", ["listing", "proposed", "deleting"])
def test_a_deleted_policy_goes_when_its_run_has_stopped(state: str) -> None:
    """Not before: nobody could see any more what is deleted in its name."""
    resource = policy(deleting=True)
    run = proposal(resource, state=state)
    plan = reconcile(resource, Observed(run), NOON)
    assert (plan.actions, plan.released) == ((Stop(run.id, "policy_deleted"),), False)
    for gone in (None, run_of(resource, state="stopped")):
        assert (
            reconcile(resource, Observed(gone), NOON).released,
            reconcile(resource, Observed(gone), NOON).actions,
        ) == (
            True,
            (),
        )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"schedule": "61 3 * * *"}, "ScheduleInvalid"),
        ({"schedule": "0 3 30 2 *"}, "ScheduleInvalid"),
        ({"timeZone": "Mars/Olympus"}, "TimeZoneUnknown"),
    ],
)
def test_what_can_not_be_carried_out_is_said(wrong: Mapping[str, Any], reason: str) -> None:
    """Not ready, with what to correct; and a run that is under way is stopped, since nobody knows what is wanted."""
    resource = policy(wrong)
    plan = reconcile(resource, Observed(run_of(policy(), state="deleting")), NOON)
    assert conditions(plan)["Ready"] == (Truth.FALSE, reason)
    assert [type(action) for action in plan.actions] == [Stop]
    assert plan.status["phase"] == "Invalid"


def test_the_end_of_a_run_is_told_once() -> None:
    """With what came of it."""
    asked = reconcile(policy(), Observed(run_of(policy(), state="deleting")), NOON)
    first = reconcile(policy(status=asked.status), Observed(run_of(policy())), NOON)
    again = reconcile(policy(status=first.status), Observed(run_of(policy())), NOON)
    assert [(note.reason, "10 listed" in note.message) for note in first.notes] == [("RunDone", True)]
    assert again.notes == ()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"state": "proposed"}, {"state": "deleting"}, "RunApproved"),
        ({"state": "listing"}, {"state": "stopped", "reason": "policy_changed"}, "RunStopped"),
        ({"state": "deleting"}, {"state": "failed", "reason": "internal_error"}, "RunFailed"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"deleting": True}, {"spec": {"paused": True}}])
def test_what_was_done_is_told_by_whoever_sees_it(
    before: dict[str, Any], after: dict[str, Any], told: str, fields: dict[str, Any]
) -> None:
    """Also if who did it died before it could tell; and nobody tells it again."""
    run = run_of(policy(), **after)
    known = reconcile(policy(**fields), Observed(run_of(policy(), **before)), NOON).status
    first = reconcile(policy(status=known, **fields), Observed(run), NOON)
    again = reconcile(policy(status=first.status, **fields), Observed(run), NOON)
    assert ([note.reason for note in first.notes], again.notes) == ([told], ())


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
SCHEDULES = st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 */6 * * *", "15 1 * * SUN", "0 0 1 * *", "59 23 31 12 *"])
MOMENTS = st.integers(0, 5 * 366 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@settings(max_examples=200, deadline=None)
@given(SCHEDULES, ZONES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_the_latest_moment_is_the_last_of_those_that_follow(
    expression: str, zone: str, since: datetime, span: timedelta
) -> None:
    """Over all changes of clocks: moments only go forward, none is twice, and none lies in between unseen."""
    schedule = Schedule.of(expression, zone, since)
    until = since + span
    latest = schedule.latest(since, until)
    if latest is None:
        assert schedule.following(since) > until
        return
    assert since < latest <= until
    assert schedule.following(latest) > until
    assert schedule.following(latest - timedelta(microseconds=1)) == latest


def test_clocks_that_change_leave_out_no_night_and_repeat_none() -> None:
    """02:30 in Berlin: once on the night that has it twice, and right after the gap on the night that lacks it."""
    schedule = Schedule.of("30 2 * * *", "Europe/Berlin", NOON)
    local = []
    for moment in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        for _ in range(3):
            moment = schedule.following(moment)  # noqa: PLW2901 - from one to the next
            local.append(moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%m-%d %H:%M"))
    assert local == ["03-28 02:30", "03-29 03:00", "03-30 02:30", "10-24 02:30", "10-25 02:30", "10-26 02:30"]


def test_a_zone_that_nobody_knows_is_refused() -> None:
    """With what to name instead."""
    with pytest.raises(Rejected, match="Europe/Berlin"):
        Schedule.of("0 3 * * *", "Nowhere", NOON)


@dataclass
class Platform:
    """What the api and the executor would do, with a clock that jumps."""

    now: datetime = NOON
    runs: list[Run] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)

    def perform(self, resource: Resource[RetentionPolicySpec], action: Action) -> None:
        match action:
            case Ask():
                if all(run.id != action.run_id for run in self.runs):
                    made = run_of(resource, action.scheduled_at, state="listing", asOf=self.now)
                    assert made.id == action.run_id
                    self.asked.append(made.id)
                    self.runs.append(made)
            case Approve():
                assert resource.annotations[APPROVE] == action.run_id
                self.approved.add(action.run_id)
                self._change(action.run_id, state="approved")
            case Stop():
                self._change(action.run_id, state="stopped")

    def advance(self, resource: Resource[RetentionPolicySpec]) -> None:
        """Do the executor's next step on the newest run."""
        if not self.runs or self.runs[-1].ended:
            return
        run = self.runs[-1]
        after = {"DryRun": "done", "RequireApproval": "proposed", "Enforce": "deleting"}
        state = {"listing": after[run.mode], "approved": "deleting", "deleting": "done"}.get(run.state)
        if state == "deleting":
            assert run.mode == "Enforce" or run.id in self.approved
            assert run.mode != "DryRun"
        if state is not None:
            self._change(run.id, state=state, expiresAt=self.now + duration(resource.spec.proposal_ttl))

    def _change(self, run_id: str, **fields: Any) -> None:
        self.runs = [
            Run.model_validate({**run.model_dump(by_alias=True), **fields})
            if run.id == run_id and not run.ended
            else run
            for run in self.runs
        ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(-48, 24 * 20)),
        st.tuples(
            st.sampled_from(["look", "work", "approve", "approve another", "pause", "go on", "edit"]), st.just(0)
        ),
    ),
    max_size=40,
)


def changed(resource: Resource[RetentionPolicySpec], step: str, runs: list[str]) -> Resource[RetentionPolicySpec]:
    """What people do to a policy."""
    match step:
        case "approve":
            return replace(resource, annotations={APPROVE: runs[-1] if runs else ""})
        case "approve another":
            return replace(resource, annotations={APPROVE: runs[0] if runs else "x"})
        case "pause" | "go on":
            return replace(resource, spec=resource.spec.model_copy(update={"paused": step == "pause"}))
        case "edit":
            limits = resource.spec.limits
            faster = limits.model_copy(update={"rows_per_second": limits.rows_per_second + 1})
            return replace(resource, spec=resource.spec.model_copy(update={"limits": faster}))
        case _:
            return resource


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from(Mode))
def test_whatever_happens_nothing_goes_that_nobody_agreed_to(steps: list[tuple[str, int]], mode: Mode) -> None:
    """Clocks that jump both ways, edits, pauses, approvals of anything; and looking again changes nothing."""
    platform, resource = Platform(), policy({"mode": mode.value, "proposalTtl": "2d"})

    def look() -> None:
        """What the operator does until there is nothing more to do."""
        nonlocal resource
        for _ in range(6):
            newest = platform.runs[-1] if platform.runs else None
            plan = reconcile(resource, Observed(newest), platform.now)
            for action in plan.actions:
                platform.perform(resource, action)
            resource = replace(resource, status=plan.status)
            if not plan.actions and plan.look_again_seconds != 0:
                return
        raise AssertionError("it never comes to rest")

    for step, hours in steps:
        if step == "work":
            platform.advance(resource)
        platform.now += timedelta(hours=hours)
        resource = changed(resource, step, [run.id for run in platform.runs])
        look()
        assert len([run for run in platform.runs if not run.ended]) <= 1
    assert len(platform.asked) == len(set(platform.asked))
    resource = replace(resource, deleting=True)
    look()
    assert all(run.ended for run in platform.runs)


def of_core(rule: Rule) -> RetentionRule:
    """The rule as the executor has it."""
    return RetentionRule(rule.store, rule.data_class, duration(rule.ttl))


def is_possible(rule: RetentionRule) -> bool:
    """Whether there is anything that a rule could be about."""
    in_s3, rows = rule.data_class in PREFIXES, rule.data_class is not DataClass.DERIVED_IMAGES
    return in_s3 if rule.store is Store.S3 else rows


SAMPLES = sorted((Path(__file__).parents[3] / "infra" / "samples").glob("retention-*.yaml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_each_sample_is_a_policy(sample: Path) -> None:
    """Its fields are those that there are, its schedule can be met, and the api would carry out its rules."""
    document = yaml.safe_load(sample.read_text())
    spec = RetentionPolicySpec.model_validate(document["spec"])
    assert (document["apiVersion"], document["kind"]) == ("mien.dev/v1alpha1", "RetentionPolicy")
    assert Schedule.of(spec.schedule, spec.time_zone, NOON).following(NOON) > NOON
    assert all(is_possible(of_core(rule)) for rule in spec.rules)


def test_the_default_policy_keeps_try_ons_as_long_as_the_platform_does() -> None:
    """24 hours, and no percentage that would have it ask each hour."""
    [sample] = [path for path in SAMPLES if path.stem == "retention-tryon"]
    spec = RetentionPolicySpec.model_validate(yaml.safe_load(sample.read_text())["spec"])
    [rule] = spec.rules
    assert (rule.data_class, duration(rule.ttl)) == (DataClass.TRYON_SESSIONS, timedelta(hours=24))
    assert duration(rule.grace_period) == SETTLED
    assert (spec.mode, spec.limits.max_percent_per_run) == (Mode.ENFORCE, 100)
