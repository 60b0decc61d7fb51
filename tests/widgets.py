"""A small kind of resource, for the tests of what all kinds share."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_operator.cel import CelRule
from mien_operator.crds.definition import Column, Kind


class Model(BaseModel):
    """As all kinds' models are."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Colour(StrEnum):
    """What a widget may be painted."""

    RED = "Red"
    BLUE = "Blue"


class Part(Model):
    """A piece of a widget.

    Args:
        name: left out of what people read.
    """

    name: str = Field(min_length=1, max_length=63, description="What it is called.")
    weight: float = Field(default=1.0, gt=0, le=100, description="How heavy it is, in grams.")


class WidgetSpec(Model):
    """What a widget shall be."""

    size: int = Field(ge=1, le=10, description="How large it is.")
    colour: Colour = Field(default=Colour.RED, description="What it is painted.")
    note: str | None = Field(default=None, max_length=80, description="What people say of it.")
    parts: Annotated[list[Part], Field(max_length=4, description="Its pieces.")] = []
    labels: dict[str, str] = Field(default_factory=dict, max_length=8, description="Words on it.")
    paused: bool = Field(default=False, description="Whether the operator leaves it alone.")


class WidgetStatus(Model):
    """What a widget is."""

    phase: str = Field(default="Pending", description="Where its making stands.")
    made: int = Field(default=0, description="How large it has become.")


WIDGET: Final = Kind(
    kind="Widget",
    plural="widgets",
    short_names=("wdg",),
    description="A thing that tests make.",
    spec=WidgetSpec,
    status=WidgetStatus,
    columns=(Column("Phase", ".status.phase"), Column("Size", ".spec.size", "integer", priority=1)),
    rules=(
        CelRule("self.colour != 'Blue' || self.size >= 2", "A blue widget has at least size 2; make it larger."),
        CelRule("self.weight != 13.0", "No part weighs 13 grams; choose another weight.", "parts[]"),
    ),
)
