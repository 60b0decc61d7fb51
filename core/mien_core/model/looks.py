"""GlamAI's saved looks: make-up presets and the products that they are made with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.model.texts import Color, Label, Line, Link

Category = Literal[
    "lipstick", "eyeshadow", "eyeliner", "lashes", "brows", "blush", "contour", "highlighter", "foundation"
]
Finish = Literal["matte", "satin", "gloss", "shimmer"]


class Part(BaseModel):
    """A part of a look: camelCase where it is shown; what is no field of it is left out."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Preset(Part):
    """How one region is made up: color as #RRGGBB, intensity 0-1, asset_id the overlay where there is one."""

    category: Category = Field(examples=["lipstick"])
    color: Color = Field(examples=["#A4414B"])
    finish: Finish = Field(examples=["satin"])
    # a number only: "0.7" is a text
    intensity: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False, examples=[0.7])]
    asset_id: Label | None = None


class Shade(Part):
    """A product's shade; hex is #RRGGBB."""

    name: Line = Field(examples=["Rosewood"])
    hex: Color = Field(examples=["#A4414B"])


class Product(Part):
    """A product as it was recommended when the look was saved."""

    product_id: Label = Field(examples=["lip-017"])
    name: Line | None = None
    shade: Shade | None = None
    url: Link | None = None
    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] | None = None


@dataclass(frozen=True, slots=True)
class NewLook:
    """A look to be saved. upload_id is the photo that it was made for, which may be gone long before the look."""

    id: str
    tenant: str
    user_id: str
    upload_id: str | None
    name: str
    presets: tuple[Preset, ...]
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class Look(NewLook):
    """A saved look."""

    created_at: datetime


class LookPosition(NamedTuple):
    """Where a look stands among its user's, by age."""

    created_at: datetime
    id: UUID


def position_of(look: Look) -> LookPosition:
    """Tell where a look stands in its list."""
    return LookPosition(look.created_at, UUID(look.id))
