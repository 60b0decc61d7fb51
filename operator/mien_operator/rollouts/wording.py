"""What a check found, in words for people."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mien_core.model.comparisons import LANDMARKS, LARGE, SCORES, SLOW_RATIO
from mien_operator.rollouts.checks import Check, Suspicion
from mien_operator.rollouts.sums import Crowd, Question

_WHO: Final[Mapping[Crowd, str]] = MappingProxyType(
    {"everybody": "", "light": " on light skin", "medium": " on medium skin", "dark": " on dark skin"}
)


def worded(suspicion: Suspicion) -> str:
    """A sentence: what differs, for whom, by how much, of how many, and how much would be harmless."""
    count, first, second = suspicion.sums
    mean, net = first / max(count, 1), (first - second) / max(count, 1)
    match suspicion.check.row.question:
        case Question.SLOWER:
            return slower(mean, count, suspicion.check.limit)
        case Question.FAILING:
            return failing(net, count, suspicion.check.limit)
        case Question.HIGHER | Question.LOWER:
            return _mean(suspicion.check, mean, count)
        case _:
            return _share(suspicion.check, mean, net, count)


def _mean(check: Check, mean: float, count: float) -> str:
    who, subject = _WHO[check.row.crowd], check.row.subject
    if subject in LANDMARKS:
        points = "The mesh's points lie" if subject == "landmarks.mean" else "The mesh's worst points lie"
        differs = f"{points} {mean:.3f} inter-ocular distances off{who}"
    else:
        differs = f"{subject} is {mean:.1f} {_unit(subject)} {check.row.question}{who}"
    return f"{differs} (the mean of {count:.0f} photos; up to {check.limit:g} is harmless)."


def _share(check: Check, share: float, net: float, count: float) -> str:
    subject = check.row.subject
    of = f"of {count:.0f} photos{_WHO[check.row.crowd]}"
    match check.row.question:
        case Question.LARGE:
            says = f"{subject} differs by more than {LARGE[subject]:g} {_unit(subject)} in {percent(share)} {of}"
        case Question.CHANGED:
            says = f"{subject} flips in {percent(share)} {of}"
        case Question.UNMEASURED:
            says = f"{subject} is no longer measured in {percent(share)} {of}"
        case Question.MISSED:
            says = f"The face is no longer found in {percent(share)} {of}"
        case Question.SLOW:
            says = f"{percent(net)} of {count:.0f} requests take more than {SLOW_RATIO:g} times as long, net"
        case direction:
            other = "gain" if direction is Question.LOST else "lose"
            says = f"{subject} is {direction} in {percent(net)} {of} more than {other} it"
    return f"{says} (up to {percent(check.limit)} is harmless)."


def slower(logarithm: float, count: float, limit: float) -> str:
    """That the candidate takes longer, from the logarithm of the times' ratio."""
    return (
        f"The candidate takes {percent(math.expm1(logarithm))} longer (geometric mean of {count:.0f} requests; "
        f"up to {percent(math.expm1(limit))} is harmless)."
    )


def failing(share: float, count: float, limit: float) -> str:
    """That the candidate fails more often."""
    return (
        f"{percent(share)} more of {count:.0f} requests fail with the candidate than with the stable revision "
        f"(up to {percent(limit)} is harmless)."
    )


def percent(share: float) -> str:
    """As people read a share."""
    return f"{share * 100:.3g} %"


def _unit(subject: str) -> str:
    if subject in LANDMARKS:
        return "inter-ocular distances"
    return "points" if subject in SCORES else "degrees"
