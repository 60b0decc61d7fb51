"""What comparisons say of the present step, and what follows from it."""

from datetime import timedelta

from mien_operator.rollouts import endings
from mien_operator.rollouts.analysis_spec import AnalysisMetric
from mien_operator.rollouts.draft import Draft, Wait
from mien_operator.rollouts.durations import span
from mien_operator.rollouts.judgement import Judgement, Outcome
from mien_operator.rollouts.orders import how_to_say
from mien_operator.rollouts.spec import AbortPolicy, AnalysisStep
from mien_operator.rollouts.status import AnalysisRun, Phase

_EVERY = 5.0
_MOST_RUNS = 16
_MOST_FINDINGS = 32
_LONGEST = 1000


def judge_step(draft: Draft, *, go_on: bool) -> Wait | None:
    """Judge whatever step there is, if the candidate is asked at all: one that is bad is not kept until an analysis.

    Returns:
        What is waited for, or None if the step may go on (or the rollout was aborted).
    """
    if draft.status.held:
        return _held(draft)
    verdict = _verdict(draft)
    if verdict is None:
        return None
    failed = verdict.outcome is Outcome.FAIL
    step = draft.step.analysis if draft.step is not None else None
    if failed or step is not None:
        done = failed or (step is not None and _has_outcome(draft, step, verdict, go_on=go_on))
        _record(draft, verdict, done=done)
    return _failed(draft, verdict) if failed else None


def recorded(draft: Draft) -> Wait | None:
    """Go on from an analysis step if what was recorded of it says so."""
    run = draft.status.analysis_runs[-1] if draft.status.analysis_runs else None
    ours = run is not None and (run.step, run.attempt) == (draft.status.current_step + 1, draft.status.attempt)
    if run is None or not ours:
        message = "The comparison of both revisions begins."
        if not _asked(draft):
            message = "Nobody asks the candidate yet: put a shadow step or a setWeight above 0 before this analysis."
        return Wait(Phase.ANALYSING, "Analysing", message, _EVERY)
    if run.ended_at is not None:
        draft.change(passed=True)
        draft.tell("AnalysisPassed", f"Step {run.step}: {' '.join(run.findings) or 'Nothing was found.'}"[:_LONGEST])
        return None
    said = " ".join(run.findings) or f"{run.samples} answers were compared."
    if run.outcome is Outcome.INCONCLUSIVE:
        message = (
            f"{said} It can't be told which revision is better: annotate {how_to_say(draft, 'promote')} to go on, "
            f"or {how_to_say(draft, 'abort')} to go back."
        )
        return Wait(Phase.HELD, "Inconclusive", message[:_LONGEST], _EVERY)
    if run.outcome is Outcome.PASS:
        said = f"Passes so far, and is looked at a while longer: {said}"
    return Wait(Phase.ANALYSING, "Analysing", said[:_LONGEST], _EVERY)


def metrics_now(draft: Draft) -> tuple[AnalysisMetric, ...]:
    """The metrics that the latest shadow step left, or all."""
    chosen = [step.shadow.comparators for step in draft.spec.steps[: draft.status.current_step] if step.shadow]
    if not chosen or not chosen[-1]:
        return draft.spec.analysis.metrics
    return tuple(metric for metric in draft.spec.analysis.metrics if metric.comparator in chosen[-1])


def _verdict(draft: Draft) -> Judgement | None:
    comparison = draft.comparison
    metrics = metrics_now(draft)
    if comparison is None or not metrics or not _asked(draft):
        return None
    windows = [window for window in draft.observed.windows if window.comparison.rollout == comparison.rollout]
    since = draft.status.step_started_at or draft.now
    # a pause waits for its time or a person, and not for samples
    waits_for_samples = draft.step is not None and draft.step.analysis is not None
    waited_seconds = draft.elapsed(since).total_seconds() if waits_for_samples else 0.0
    return draft.judge(metrics, windows, comparison.step, waited_seconds)


def _asked(draft: Draft) -> bool:
    return bool(draft.status.weights.desired or draft.status.shadow_percent)


def _has_outcome(draft: Draft, step: AnalysisStep, verdict: Judgement, *, go_on: bool) -> bool:
    """Whether the step is over: it passed and was looked at for long enough, or a person decided."""
    since = draft.status.step_started_at or draft.now
    least = span(step.minimum) if step.minimum is not None else timedelta()
    return (verdict.outcome is Outcome.PASS and draft.elapsed(since) >= least) or (
        verdict.outcome is Outcome.INCONCLUSIVE and go_on
    )


def _failed(draft: Draft, verdict: Judgement) -> Wait | None:
    message = " ".join(_failures(verdict)) or "An analysis failed."
    if draft.spec.abort_policy is AbortPolicy.HOLD:
        draft.change(held=message[:_LONGEST])
        draft.warn("AnalysisFailed", message[:_LONGEST])
        return _held(draft)
    again = f"Name another artifact, or annotate {how_to_say(draft, 'retry')} to try it again."
    endings.abort(draft, "AnalysisFailed", f"{message[: _LONGEST - len(again) - 1]} {again}")
    return None


def _failures(verdict: Judgement) -> list[str]:
    return [finding.message for finding in verdict.findings if finding.outcome is Outcome.FAIL]


def _held(draft: Draft) -> Wait:
    message = (
        f"{draft.status.held} abortPolicy is Hold: annotate {how_to_say(draft, 'abort')} to go back, or "
        f"{how_to_say(draft, 'retry')} to compare again from the first step."
    )
    return Wait(Phase.HELD, "AnalysisFailed", message, _EVERY)


def _record(draft: Draft, verdict: Judgement, *, done: bool) -> None:
    """Write what was found into the status; the newest run of this step and attempt is replaced."""
    candidate = draft.status.candidate
    if candidate is None:
        return
    run = AnalysisRun(
        step=draft.status.current_step + 1,
        revision=candidate.revision,
        attempt=draft.status.attempt,
        outcome=verdict.outcome,
        samples=verdict.samples,
        findings=tuple(finding.message[:_LONGEST] for finding in verdict.findings[:_MOST_FINDINGS]),
        started_at=draft.status.step_started_at or draft.now,
        ended_at=draft.now if done else None,
    )
    others = [one for one in draft.status.analysis_runs if (one.step, one.attempt) != (run.step, run.attempt)]
    draft.change(analysis_runs=tuple([*others, run][-_MOST_RUNS:]))
