"""A prediction of the cycle as Glow Cycle's frontend gets it; the field names are the contract's."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mien_api.schemas import Schema

if TYPE_CHECKING:
    # a second of numpy and scipy, which the process is to take when it predicts first and not when it starts
    from mien_core.rules.cycle.prediction import Prediction

Probability = Annotated[float, Field(ge=0, le=1)]


class IntervalBody(Schema):
    """The days from `from` to `to`, both included, in which something falls with a probability."""

    level: Probability
    from_: date = Field(alias="from")
    to: date


class NextPeriodBody(Schema):
    """The first day of the next period."""

    date: date
    interval: IntervalBody


class ChanceBody(Schema):
    """The probability that something falls on a date."""

    date: date
    p: Probability


class OvulationBody(Schema):
    """The ovulation before the next period, which may have passed."""

    date: date
    distribution: list[ChanceBody]


class WindowBody(Schema):
    """The days from `from` to `to`, both included."""

    from_: date = Field(alias="from")
    to: date


class CycleLengthBody(Schema):
    """What the next cycle lasts, in days."""

    mean: float
    sd: float


class BasisBody(Schema):
    """How many intervals between periods it rests on, and how many logs they probably lack."""

    cycles: int
    skips_likely: int


class PredictionBody(Schema):
    """What the log says of the cycles. The dates are null without a period in the last half year."""

    user_id: str
    cycle_day: int | None
    next_period: NextPeriodBody | None
    ovulation: OvulationBody | None
    fertile_window: WindowBody | None
    cycle_length: CycleLengthBody
    based_on: BasisBody
    method: str = Field(examples=["skip-aware-gamma-renewal-1"])
    notice: str


def prediction_body(user_id: str, prediction: "Prediction") -> PredictionBody:
    """Show a prediction."""
    following, ovulation, fertile = prediction.next_period, prediction.ovulation, prediction.fertile_window
    return PredictionBody(
        user_id=user_id,
        cycle_day=prediction.cycle_day,
        next_period=following
        and NextPeriodBody(
            date=following.date,
            interval=IntervalBody(
                level=following.interval.level, from_=following.interval.start, to=following.interval.end
            ),
        ),
        ovulation=ovulation
        and OvulationBody(
            date=ovulation.date,
            distribution=[ChanceBody(date=chance.date, p=chance.p) for chance in ovulation.distribution],
        ),
        fertile_window=fertile and WindowBody(from_=fertile.start, to=fertile.end),
        cycle_length=CycleLengthBody(mean=prediction.cycle_length.mean, sd=prediction.cycle_length.sd),
        based_on=BasisBody(cycles=prediction.based_on.cycles, skips_likely=prediction.based_on.skips_likely),
        method=prediction.method,
        notice=prediction.notice,
    )
