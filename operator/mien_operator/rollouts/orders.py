"""What people say by annotations: go on, stop, try again.

An annotation's value is the generation that it is meant for, so that one that was left from an earlier spec does
nothing. Each value is followed once; to say the same again for the same generation, anything is added after a dot: 3.2.
"""

from typing import Final, Literal

from mien_operator.rollouts.draft import Draft
from mien_operator.rollouts.endings import abort

PREFIX: Final = "mien.dev/"
Order = Literal["promote", "abort", "retry"]


def follow(draft: Draft) -> bool:
    """Do what was asked for once; tell whether what waits for a person may go on."""
    go_on = _asked(draft, "promote")
    if _asked(draft, "abort") and draft.status.candidate is not None:
        abort(
            draft,
            "AbortRequested",
            f"Somebody asked for it. Name another artifact, or annotate {how_to_say(draft, 'retry')} to try it again.",
        )
    if _asked(draft, "retry"):
        _retry(draft)
    return go_on


def how_to_say(draft: Draft, order: Order) -> str:
    """The annotation that would be followed now."""
    generation = draft.resource.generation
    said = getattr(draft.status.answered, order)
    if said != str(generation) and not said.startswith(f"{generation}."):
        return f"{PREFIX}{order}={generation}"
    number = said.partition(".")[2]
    return f"{PREFIX}{order}={generation}.{int(number) + 1 if number.isdecimal() else 2}"


def _asked(draft: Draft, order: Order) -> bool:
    value = draft.resource.annotations.get(f"{PREFIX}{order}", "")[:64]
    generation = value.partition(".")[0]
    if generation != str(draft.resource.generation) or value == getattr(draft.status.answered, order):
        return False
    draft.change(answered=draft.status.answered.model_copy(update={order: value}))
    return True


def _retry(draft: Draft) -> None:
    if draft.stable_gone and draft.status.candidate is None:
        draft.reload = True
        draft.tell("Reloaded", "Everything is taken from Serve and put again, because the stable revision is gone.")
    elif draft.status.ended is not None:
        draft.change(ended=None)
    elif draft.status.held and draft.status.candidate is not None:
        draft.change(held="", current_step=0, attempt=draft.status.attempt + 1, passed=False, step_started_at=None)
        draft.tell("Retried", f"{draft.status.candidate.revision} is compared again from the first step.")
