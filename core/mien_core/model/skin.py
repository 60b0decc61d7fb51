"""What a photo shows of the skin: measures with their evidence, eight conditions, six types, five metrics.

Everything here describes an appearance in one photo. What the photo can't show is absent and listed in abstained;
it is never guessed.
"""

from typing import Final, Literal, Self, get_args

from pydantic import Field, model_validator

from mien_core.model.face import Value

Condition = Literal[
    "acne",
    "blackheads",
    "wrinkles",
    "dullness",
    "redness",
    "dehydration",
    "hyperpigmentation",
    "uneven_texture",
]
SkinType = Literal["oily", "dry", "normal", "combination", "wrinkly", "sensitive"]
MeasureName = Literal[
    "acne",
    "pores",
    "wrinkles",
    "radiance",
    "redness",
    "dryness",
    "spots",
    "texture",
    "dark_circles",
    "dark_circles_lightness",
    "shine",
]
# Why something could not be measured.
AbstentionReason = Literal["resolution", "blur", "light", "pose", "hidden", "colourless", "smoothed"]

CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
SKIN_TYPES: Final[tuple[SkinType, ...]] = get_args(SkinType)
MEASURES: Final[tuple[MeasureName, ...]] = get_args(MeasureName)

# A closed line of (x, y) relative to the photo's width and height: 0-1, x to the right, y down.
Polygon = tuple[tuple[float, float], ...]


class Interval(Value):
    """Where the value would lie in 9 of 10 repetitions on other samples of the same skin in the same photo."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("an interval's low end lies above its high end")
        return self


class SkinRegion(Value):
    """A named part of the face. "right" is the person's right, on the image's left."""

    name: str
    polygon: Polygon = Field(min_length=3)


class RegionValue(Value):
    """A measure in one region; in the measure's unit."""

    region: str
    value: float


class Evidence(Value):
    """Something that can be pointed at: its outline, the region it lies in, its strength in the measure's own terms."""

    region: str
    polygon: Polygon = Field(min_length=3)
    strength: float = Field(ge=0)


class SkinMeasure(Value):
    """One measured property of the skin.

    value is over all the measured regions, by_region each region's own. method names the formula's source. proxy is
    true where the property itself (moisture, oil) can't be photographed and its appearance stands in.
    """

    name: MeasureName
    value: float
    unit: str
    interval: Interval
    by_region: tuple[RegionValue, ...]
    evidence: tuple[Evidence, ...]
    method: str
    proxy: bool

    @model_validator(mode="after")
    def _within(self) -> Self:
        if not self.interval.low <= self.value <= self.interval.high:
            raise ValueError("a measure's value lies outside its interval")
        return self


class ConditionProbability(Value):
    """How likely a careful layman at arm's length would say "yes, I see it"; 0.5 is where that begins."""

    condition: Condition
    probability: float = Field(ge=0, le=1)


class Abstention(Value):
    """A measure and the condition drawn from it, if any, that this photo can't show, and what to do about it."""

    measure: MeasureName
    condition: Condition | None
    reason: AbstentionReason
    advice: str


class SkinMetrics(Value):
    """The diary's five metrics, 0-100, more is better; None where the photo can't show it.

    moisture is a proxy: it is read off the skin's surface.
    """

    radiance: float | None = Field(ge=0, le=100)
    moisture: float | None = Field(ge=0, le=100)
    texture: float | None = Field(ge=0, le=100)
    pores: float | None = Field(ge=0, le=100)
    dark_circles: float | None = Field(ge=0, le=100)


class SkinReport(Value):
    """What the skin engine says of one face. skin_type is None where the photo shows nothing that decides it."""

    regions: tuple[SkinRegion, ...]
    measures: tuple[SkinMeasure, ...]
    probabilities: tuple[ConditionProbability, ...]
    abstained: tuple[Abstention, ...]
    skin_type: SkinType | None
    metrics: SkinMetrics

    @model_validator(mode="after")
    def _complete(self) -> Self:
        named = sorted(one.condition for one in self.probabilities)
        left_out = sorted(one.condition for one in self.abstained if one.condition is not None)
        if sorted(named + left_out) != sorted(CONDITIONS):
            raise ValueError("each condition has either a probability or an abstention")
        return self

    def probability_of(self, condition: Condition) -> float | None:
        """The condition's probability (0-1), None where the photo can't show it."""
        return next((one.probability for one in self.probabilities if one.condition == condition), None)

    def measure(self, name: MeasureName) -> SkinMeasure | None:
        """The measure of that name, None where the photo can't show it."""
        return next((one for one in self.measures if one.name == name), None)

    @property
    def abstained_conditions(self) -> tuple[Condition, ...]:
        """The conditions that the photo can't show, in the order of CONDITIONS."""
        left_out = {one.condition for one in self.abstained}
        return tuple(one for one in CONDITIONS if one in left_out)
