"""Serve's whole configuration, from what a rollout says shall run and from what must not stop yet."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from mien_core.rules.serve_config import Revision, RevisionOptions, Shadowing, render
from mien_operator.rollouts.draft import Draft
from mien_operator.rollouts.status import RevisionRecord
from mien_operator.rollouts.surge import most_replicas

_ALL = 100


def configuration(draft: Draft, *, load: bool) -> dict[str, Any] | None:
    """What Serve shall run; None where nothing is to be run yet.

    Args:
        draft: the rollout.
        load: whether the candidate may be loaded.
    """
    stable = draft.status.stable
    if stable is None:
        return None
    candidate = draft.status.candidate if load else None
    revisions = [_revision(draft, stable)]
    if candidate is not None:
        revisions.append(_revision(draft, candidate, candidate=True))
    listed = {revision.name for revision in revisions}
    revisions += [_revision(draft, one) for one in draft.status.retained if _worth_keeping(draft, one, listed)]
    revisions += _draining(draft, {revision.name for revision in revisions} | _unloaded(draft, load=load))
    weights = _others(draft, stable) or _weights(draft, stable, candidate)
    listed = {revision.name for revision in revisions}
    shadow = _shadowing(draft) if candidate is not None else _ending_shadow(draft, listed)
    return render(revisions, weights, draft.options, shadow)


def _weights(draft: Draft, stable: RevisionRecord, candidate: RevisionRecord | None) -> dict[str, float]:
    if candidate is None:
        return {stable.revision: 1.0}
    # a candidate that Serve lost answers nobody, whatever share it had
    percent = draft.status.weights.desired if draft.replicas(candidate) else 0
    return {stable.revision: (_ALL - percent) / _ALL, candidate.revision: percent / _ALL}


def _others(draft: Draft, stable: RevisionRecord) -> dict[str, float]:
    """The shares of whatever answers while the stable revision neither runs nor has requests: better that than nothing.

    That is so when the status is older than what runs, or when somebody else wrote to Serve.
    """
    if draft.replicas(stable) or draft.serve.weights.get(stable.revision, 0.0) > 0:
        return {}
    live = draft.serve.revisions
    shares = {
        name: share
        for name, share in draft.serve.weights.items()
        if share > 0
        and name in live
        and (application := draft.serve.application_of(live[name])) is not None
        and application.replicas
    }
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def _shadowing(draft: Draft) -> Shadowing | None:
    """What is compared: told from the beginning, so that what compares is loaded while the candidate is."""
    comparison = draft.comparison
    if comparison is None:
        return None
    return Shadowing(**dataclasses.asdict(comparison), percent=draft.status.shadow_percent)


def _ending_shadow(draft: Draft, listed: set[str]) -> Shadowing | None:
    """What was compared isn't forgotten before the status says what came of it."""
    shadow, candidate = draft.serve.shadow, draft.before.candidate
    if not shadow or candidate is None or not {candidate.revision, shadow["stable"]} <= listed:
        return None
    return Shadowing(**{**shadow, "percent": 0}) if shadow["candidate"] == candidate.revision else None


def _revision(draft: Draft, record: RevisionRecord, *, candidate: bool = False) -> Revision:
    scaling = draft.spec.autoscaling
    least = max(scaling.min_replicas, draft.status.capacity) if candidate else scaling.min_replicas
    most = most_replicas(draft, record) if candidate else scaling.max_replicas
    options = RevisionOptions(
        gpus_per_replica=record.gpus_per_replica,
        min_replicas=least,
        max_replicas=max(least, most),
        target_ongoing_requests=scaling.target_ongoing_requests,
        upscale_delay_seconds=scaling.upscale_delay_seconds,
        downscale_delay_seconds=scaling.downscale_delay_seconds,
        max_ongoing_requests=scaling.max_ongoing_requests,
        max_queued_requests=scaling.max_queued_requests,
    )
    return Revision(record.revision, record.uri, record.digest, options)


def _worth_keeping(draft: Draft, record: RevisionRecord, listed: set[str]) -> bool:
    application = draft.application(record)
    return record.revision not in listed and not (application is not None and application.broken)


def _unloaded(draft: Draft, *, load: bool) -> set[str]:
    candidate = draft.status.candidate
    return {candidate.revision} if candidate is not None and not load else set()


def _draining(draft: Draft, others: set[str]) -> Iterator[Revision]:
    """Revisions that nobody wants any more and that can't be unloaded yet, as they are.

    The router may still ask them; or it was decided in this look that they go, for a reason that is seen no more once
    they are gone, so that has to be written down first.
    """
    before = draft.before
    named = {one.revision for one in (before.candidate, *before.retained) if one is not None}
    for name, revision in draft.serve.revisions.items():
        if name in others:
            continue
        application = draft.serve.application_of(revision)
        fresh = not draft.serve.router_settled and application is not None and not application.broken
        if (
            draft.serve.weights.get(name, 0.0) > 0
            or name == draft.serve.shadow.get("candidate")
            or fresh
            or name in named
        ):
            yield revision
