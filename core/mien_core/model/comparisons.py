"""What is known of two model revisions that were asked the same: sums of paired differences, which add up.

A window holds sums and counts only, no answers, so that its size doesn't grow with what went into it, windows of
several processes and of several times can be added, and nothing in it belongs to a person. "lost" is always what the
stable revision has and the candidate hasn't, "gained" the reverse; a difference is the candidate's value less the
stable's.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import add
from types import MappingProxyType
from typing import Annotated, Final, Literal, Protocol, Self, TypeVar, get_args

from pydantic import AwareDatetime, Field, TypeAdapter

from mien_core.model.skin import CONDITIONS, SkinMetrics

ToneGroup = Literal["light", "medium", "dark", "unknown"]
TONE_GROUPS: Final[tuple[ToneGroup, ...]] = get_args(ToneGroup)

# The first tone of the Monk scale (1-10) in each group.
MEDIUM_FROM: Final = 4
DARK_FROM: Final = 7

LANDMARKS: Final = ("landmarks.mean", "landmarks.worst")
SCORES: Final = (
    *(f"metrics.{name}" for name in SkinMetrics.model_fields),
    *(f"conditions.{name}" for name in CONDITIONS),
)
TONES: Final = ("tone.ita",)
POSES: Final = ("pose.yaw", "pose.pitch", "pose.roll")
# What is compared as a number: landmarks by their distance in inter-ocular distances (the mean one, and the 95th
# percentile), the metrics and the conditions' probabilities in points of 100, tone and pose in degrees.
QUANTITIES: Final = (*LANDMARKS, *SCORES, *TONES, *POSES)
# What is compared as yes or no.
VERDICTS: Final = (*(f"conditions.{name}" for name in CONDITIONS), "quality.passed", "face.found")

# A difference beyond this is counted as large, in the quantity's own unit.
LARGE: Final[Mapping[str, float]] = MappingProxyType(
    {name: 0.1 if name in LANDMARKS else 10.0 for name in QUANTITIES},
)
# A call that took so many times as long as the other side's is counted as slow.
SLOW_RATIO: Final = 2.0

# Upper bounds of the latencies' buckets in milliseconds; the last bucket has none.
LATENCY_BOUNDS: Final = (5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)

Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Added = TypeVar("Added", bound="Sums")
Name = TypeVar("Name", bound=str)


class Sums(Protocol):
    """What adds up."""

    def plus(self, other: Self) -> Self:
        """Both together."""


@dataclass(frozen=True, slots=True)
class Deltas:
    """Paired differences of one quantity.

    Args:
        count: pairs in which both sides have it.
        total: the differences' sum.
        squares: the sum of their squares.
        large: how many are beyond LARGE, in either direction.
        lost: pairs in which only the stable revision has it.
        gained: pairs in which only the candidate has it.
    """

    count: Count = 0
    total: Finite = 0.0
    squares: Annotated[Finite, Field(ge=0)] = 0.0
    large: Count = 0
    lost: Count = 0
    gained: Count = 0

    def plus(self, other: "Deltas") -> "Deltas":
        """Both together."""
        return Deltas(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            self.large + other.large,
            self.lost + other.lost,
            self.gained + other.gained,
        )


@dataclass(frozen=True, slots=True)
class Flips:
    """Paired answers to a question of yes or no: how many there are, and how many differ in which direction."""

    count: Count = 0
    lost: Count = 0
    gained: Count = 0

    def plus(self, other: "Flips") -> "Flips":
        """Both together."""
        return Flips(self.count + other.count, self.lost + other.lost, self.gained + other.gained)


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long calls took: the sums of the logarithms of milliseconds, and how many lie in each bucket."""

    count: Count = 0
    log_total: Finite = 0.0
    log_squares: Annotated[Finite, Field(ge=0)] = 0.0
    buckets: tuple[Count, ...] = (0,) * (len(LATENCY_BOUNDS) + 1)

    @classmethod
    def of(cls, milliseconds: float, logarithm: float) -> Self:
        """One call's."""
        buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        buckets[bisect_left(LATENCY_BOUNDS, milliseconds)] = 1
        return cls(1, logarithm, logarithm * logarithm, tuple(buckets))

    def plus(self, other: "Latencies") -> "Latencies":
        """Both together."""
        return Latencies(
            self.count + other.count,
            self.log_total + other.log_total,
            self.log_squares + other.log_squares,
            tuple(map(add, self.buckets, other.buckets)),
        )


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one revision was asked: how often, how often it failed, and how long its answers took."""

    requests: Count = 0
    errors: Count = 0
    latencies: Latencies = field(default_factory=Latencies)

    def plus(self, other: "Traffic") -> "Traffic":
        """Both together."""
        return Traffic(
            self.requests + other.requests,
            self.errors + other.errors,
            self.latencies.plus(other.latencies),
        )


@dataclass(frozen=True, slots=True)
class Sides:
    """The same of both revisions."""

    stable: Traffic = field(default_factory=Traffic)
    candidate: Traffic = field(default_factory=Traffic)

    def plus(self, other: "Sides") -> "Sides":
        """Both together."""
        return Sides(
            self.stable.plus(other.stable),
            self.candidate.plus(other.candidate),
        )


@dataclass(frozen=True, slots=True)
class Group:
    """All pairs whose photo the stable revision gave a tone of this group; pairs counts those with two answers."""

    pairs: Count = 0
    quantities: Mapping[str, Deltas] = field(default_factory=dict)
    verdicts: Mapping[str, Flips] = field(default_factory=dict)

    def plus(self, other: "Group") -> "Group":
        """Both together."""
        return Group(
            self.pairs + other.pairs,
            _merged(self.quantities, other.quantities),
            _merged(self.verdicts, other.verdicts),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """All that was seen, whoever saw it.

    Args:
        asked: requests that both revisions were asked, whatever came of it.
        dropped: requests that should have been mirrored, and were not, because too many were in flight.
        errors: whether the call succeeded.
        unsound: whether the answer is whole: no numbers that are none, no parts missing.
        slowdown: the logarithms of the ratio of both sides' times for the same photo.
        slow: which side took more than SLOW_RATIO times the other's; "lost" is where the candidate did.
        groups: the differences, by the photo's tone.
        paired: both sides' calls of the mirrored requests; milliseconds of work, without fetching the photo.
        traffic: both sides' calls by those who were routed to them; milliseconds as the router saw them.
    """

    asked: Count = 0
    dropped: Count = 0
    errors: Flips = field(default_factory=Flips)
    unsound: Flips = field(default_factory=Flips)
    slowdown: Deltas = field(default_factory=Deltas)
    slow: Flips = field(default_factory=Flips)
    groups: Mapping[ToneGroup, Group] = field(default_factory=dict)
    paired: Sides = field(default_factory=Sides)
    traffic: Sides = field(default_factory=Sides)

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.asked + other.asked,
            self.dropped + other.dropped,
            self.errors.plus(other.errors),
            self.unsound.plus(other.unsound),
            self.slowdown.plus(other.slowdown),
            self.slow.plus(other.slow),
            _merged(self.groups, other.groups),
            self.paired.plus(other.paired),
            self.traffic.plus(other.traffic),
        )

    @property
    def everybody(self) -> Group:
        """All groups together."""
        together = Group()
        for group in self.groups.values():
            together = together.plus(group)
        return together


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which two revisions are compared, and for what.

    Args:
        rollout: the rollout's name for it, opaque to others; another one for each candidate that it tries.
        step: which of the rollout's steps runs, from 0.
        stable: the revision that is trusted.
        candidate: the revision that is to be judged.
    """

    rollout: str
    step: Count
    stable: str
    candidate: str


@dataclass(frozen=True, slots=True)
class ComparisonWindow:
    """What was seen for one comparison since it began to be counted; it begins anew when what counts was restarted."""

    comparison: Comparison
    began_at: AwareDatetime
    tally: Tally = field(default_factory=Tally)

    def plus(self, tally: Tally) -> "ComparisonWindow":
        """With more seen."""
        return ComparisonWindow(self.comparison, self.began_at, self.tally.plus(tally))


@dataclass(frozen=True, slots=True)
class ComparisonWindows:
    """What serving says of all comparisons that it still knows, and its own time."""

    windows: tuple[ComparisonWindow, ...]
    now: AwareDatetime


_WINDOWS: Final = TypeAdapter(ComparisonWindows)


def windows_to_json(windows: tuple[ComparisonWindow, ...], now: datetime) -> bytes:
    """As GET /internal/comparisons answers."""
    return _WINDOWS.dump_json(ComparisonWindows(windows, now))


def windows_from_json(body: bytes) -> ComparisonWindows:
    """Read what windows_to_json wrote; fields that are not known are passed over.

    Raises:
        pydantic.ValidationError: it is something else.
    """
    return _WINDOWS.validate_json(body)


def _merged(one: Mapping[Name, Added], other: Mapping[Name, Added]) -> Mapping[Name, Added]:
    together = dict(one)
    for name, value in other.items():
        together[name] = together[name].plus(value) if name in together else value
    return together
