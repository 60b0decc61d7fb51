"""What the API server itself checks of a resource, beyond types and ranges, in its expression language CEL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CelRule:
    """A rule that a spec must meet.

    Args:
        rule: the expression; self is what path names, and oldSelf what it was before a change.
        message: what somebody reads whose spec is refused; it says what to do.
        path: where self is, from the spec on, by the names that YAML has: "" is the spec itself, "limits" one field of
            it, "rules[]" each entry of a list, "steps[].shadow" something within each.
    """

    rule: str
    message: str
    path: str = ""
