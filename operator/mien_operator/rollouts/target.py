"""Which revision answers, and which one is on its way: what the spec names, held against what was said before."""

from mien_operator.rollouts.draft import Draft, new_record
from mien_operator.rollouts.endings import return_to, supersede
from mien_operator.rollouts.status import Outcome, RevisionRecord, Weights


def choose(draft: Draft) -> None:
    """Settle the stable revision and the candidate."""
    if draft.status.stable is None:
        _adopt(draft)
    if not draft.status.stable_proved:
        supersede(draft, "There is no stable revision to compare it with.")
        _first(draft)
    else:
        _next(draft)


def _adopt(draft: Draft) -> None:
    """Take what answers already for stable: a status may be lost, or never have been written."""
    weights = draft.serve.weights
    live = draft.serve.revisions
    answering = sorted((weights.get(name, 0.0), name) for name in live if weights.get(name, 0.0) > 0)
    if not answering:
        return
    revision = live[answering[-1][1]]
    record = RevisionRecord(
        revision=revision.name,
        uri=revision.artifact_uri,
        digest=revision.digest,
        gpus_per_replica=revision.options.gpus_per_replica if revision.options else 0,
        was_stable=True,
    )
    # the wanted one is no find: an operator that was killed had loaded it, and it becomes the first below
    if draft.replicas(record) and record.digest != new_record(draft.spec).digest:
        draft.change(stable=record, stable_proved=True)
        draft.enter(record, Outcome.ADOPTED, "It answered when this rollout began.")
        draft.tell("Adopted", f"{record.revision} answers already and is taken for the stable revision.")


def _first(draft: Draft) -> None:
    """The first revision of all has nobody to be compared with: it answers as soon as it runs."""
    stable = draft.status.stable
    wanted = new_record(draft.spec)
    if stable is None or (stable.digest, stable.uri) != (wanted.digest, wanted.uri):
        draft.change(stable=wanted, serving_since=None)
        draft.tell("Loading", f"{wanted.revision} is the first revision; it answers as soon as it runs.")
    elif (application := draft.application(stable)) is not None and application.ready:
        draft.change(stable=stable.model_copy(update={"was_stable": True}), stable_proved=True, serving_since=None)
        draft.enter(stable, Outcome.FIRST)
        draft.tell("Serving", f"{stable.revision} is the first revision and answers all requests.")


def _next(draft: Draft) -> None:
    status, wanted = draft.status, new_record(draft.spec)
    if status.ended is not None and (status.ended.digest, status.ended.uri) != (wanted.digest, wanted.uri):
        draft.change(ended=None)
    if status.stable is not None and wanted.digest == status.stable.digest:
        supersede(draft, "The stable revision is wanted again.")
        _take_new_place(draft, status.stable, wanted)
    elif status.candidate is not None and _same(draft, status.candidate, wanted):
        pass
    elif draft.status.ended is None:
        supersede(draft, f"{wanted.revision} is wanted instead.")
        _begin_or_return(draft, wanted)


def _take_new_place(draft: Draft, stable: RevisionRecord, wanted: RevisionRecord) -> None:
    """An artifact that moved is the same; where it lies matters only once it has to be loaded again."""
    if stable.uri != wanted.uri and not draft.replicas(stable):
        draft.change(stable=stable.model_copy(update={"uri": wanted.uri}))


def _same(draft: Draft, candidate: RevisionRecord, wanted: RevisionRecord) -> bool:
    return candidate.digest == wanted.digest and (candidate.uri == wanted.uri or draft.replicas(candidate) > 0)


def _begin_or_return(draft: Draft, wanted: RevisionRecord) -> None:
    loaded = [one for one in draft.status.retained if one.digest == wanted.digest and one.was_stable]
    if loaded and draft.replicas(loaded[0]):
        return_to(draft, loaded[0])
        return
    draft.forget(wanted.digest)
    draft.change(candidate=wanted, current_step=0, attempt=draft.status.attempt + 1, weights=Weights(), ended=None)
    draft.tell("Begun", f"{wanted.revision} is the candidate.")
