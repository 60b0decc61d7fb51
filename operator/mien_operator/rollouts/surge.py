"""Whether a candidate fits beside what runs: maxSurge.gpus."""

import math

from mien_operator.rollouts.draft import Draft, Wait
from mien_operator.rollouts.status import Phase, RevisionRecord

_EPSILON = 1e-9


def make_room(draft: Draft, candidate: RevisionRecord, replicas: int = 0) -> Wait | None:
    """Let go of a revision that is kept for going back, the oldest first, if the candidate doesn't fit beside it.

    Args:
        draft: the rollout.
        candidate: what needs room.
        replicas: how many it shall have; 0 means as many as it starts with.

    Returns:
        What is waited for, or None if it fits.
    """
    allowed = draft.spec.max_surge.gpus
    needed = candidate.gpus_per_replica * max(replicas, draft.status.capacity, draft.spec.autoscaling.min_replicas)
    if needed > allowed + _EPSILON:
        message = (
            f"{candidate.revision} needs {needed:g} GPUs beside the stable revision and maxSurge.gpus allows "
            f"{allowed:g}; raise it, or ask for fewer replicas or GPUs."
        )
        return Wait(Phase.PENDING, "SurgeTooSmall", message, 30.0)
    if needed + _kept(draft) <= allowed + _EPSILON:
        return None
    kept = [one for one in draft.status.retained if one.was_stable and one.gpus_per_replica > 0]
    if kept:
        draft.tell("Released", f"{kept[0].revision} is unloaded: its GPUs are needed for {candidate.revision}.")
        draft.forget(kept[0].digest)
    message = f"{candidate.revision} waits for {needed:g} GPUs that are being freed."
    return Wait(Phase.PENDING, "GpusBeingFreed", message, 1.0)


def most_replicas(draft: Draft, candidate: RevisionRecord) -> int:
    """How many replicas autoscaling may give to a candidate."""
    most = draft.spec.autoscaling.max_replicas
    least = max(draft.status.capacity, draft.spec.autoscaling.min_replicas)
    if candidate.gpus_per_replica > 0:
        fitting = math.floor((draft.spec.max_surge.gpus - _kept(draft)) / candidate.gpus_per_replica + _EPSILON)
        most = min(most, fitting)
    return max(least, most)


def _kept(draft: Draft) -> float:
    return sum(one.gpus_per_replica * draft.spec.autoscaling.min_replicas for one in draft.status.retained)
