"""What a plan says, as the status that stands in the cluster: pure, so that it can be told without one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from mien_operator.plan import Condition, Plan, Truth

READY: Final = "Ready"
Status = Mapping[str, Any]


def planned(model: type[BaseModel], plan: Plan[Any], current: Status, generation: int, now: datetime) -> dict[str, Any]:
    """Give the status that the plan asks for.

    Args:
        model: what the kind's status may hold; the plan's is checked against it, by either spelling of its names.
        plan: what was decided.
        current: what stands there.
        generation: of the spec that the plan was made for.
        now: the time of those conditions that turn with it.

    Raises:
        pydantic.ValidationError: the plan says what the model doesn't know, which is a bug.
    """
    fields = model.model_validate(dict(plan.status)).model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        **fields,
        "observedGeneration": generation,
        "conditions": _conditions(plan.conditions, current, generation, now),
    }


def not_ready(reason: str, message: str, current: Status, generation: int, now: datetime) -> dict[str, Any]:
    """Give the status of what can't be Ready until somebody changes something: all else stays as it stands there."""
    others = [_condition(entry) for entry in current.get("conditions", ()) if entry["type"] != READY]
    conditions = [Condition(READY, Truth.FALSE, reason, message), *others]
    return {
        **current,
        "observedGeneration": generation,
        "conditions": _conditions(conditions, current, generation, now),
    }


def difference(current: Status, wanted: Status) -> dict[str, Any] | None:
    """Give the merge patch (RFC 7396) that makes the one into the other, or None where there is nothing to change."""
    patch: dict[str, Any] = {name: None for name in current if name not in wanted}
    for name, value in wanted.items():
        present = current.get(name)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            inner = difference(present, value)
            if inner is not None:
                patch[name] = inner
        elif name not in current or present != value:
            patch[name] = value
    return patch or None


def _conditions(
    conditions: Sequence[Condition], current: Status, generation: int, now: datetime
) -> list[dict[str, Any]]:
    before = {entry["type"]: entry for entry in current.get("conditions", ())}
    return [_entry(condition, before.get(condition.type), generation, now) for condition in conditions]


def _entry(condition: Condition, before: Mapping[str, Any] | None, generation: int, now: datetime) -> dict[str, Any]:
    stayed = before is not None and before["status"] == condition.status.value
    since = before["lastTransitionTime"] if before is not None and stayed else _timestamp(now)
    return {
        "type": condition.type,
        "status": condition.status.value,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": condition.reason,
        "message": condition.message,
    }


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(entry["type"], Truth(entry["status"]), entry["reason"], entry["message"])


def camel(code: str) -> str:
    """Write an error's code as a condition's reason."""
    return "".join(word.capitalize() for word in code.split("_"))


def _timestamp(moment: datetime) -> str:
    # Kubernetes' metav1.Time has whole seconds
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
