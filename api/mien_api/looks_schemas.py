"""Saved looks as GlamAI's frontend sends and gets them; the field names are the contract's."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from mien_api.cursors import Page
from mien_api.schemas import RequestSchema, Schema, UserId
from mien_core.model.looks import Look, Preset, Product
from mien_core.model.texts import Line


class NewPresetBody(Preset):
    """How one region is made up, as it is sent."""

    model_config = ConfigDict(populate_by_name=False)

    @property
    def preset(self) -> Preset:
        """As the platform has it."""
        return Preset.model_validate(dict(self), by_alias=False, by_name=True)


class NewProductBody(Product):
    """A product, as it is sent."""

    model_config = ConfigDict(populate_by_name=False)

    @property
    def product(self) -> Product:
        """As the platform has it."""
        return Product.model_validate(dict(self), by_alias=False, by_name=True)


class NewLookBody(RequestSchema):
    """A look to be saved; uploadId is the photo that it was made for, if it was made for one."""

    user_id: UserId
    upload_id: UUID | None = None
    name: Line = Field(examples=["Soft evening"])
    presets: Annotated[list[NewPresetBody], Field(max_length=50)] = Field(default=[])
    products: Annotated[list[NewProductBody], Field(max_length=50)] = Field(default=[])


class LookBody(Schema):
    """A saved look."""

    look_id: str
    user_id: str
    upload_id: str | None
    name: str
    presets: list[Preset]
    products: list[Product]
    created_at: datetime


class LooksPage(Schema):
    """A part of a user's looks, newest first; nextCursor is null at their end."""

    looks: list[LookBody]
    next_cursor: str | None


def look_body(look: Look) -> LookBody:
    """Show a look."""
    return LookBody(
        look_id=look.id,
        user_id=look.user_id,
        upload_id=look.upload_id,
        name=look.name,
        presets=list(look.presets),
        products=list(look.products),
        created_at=look.created_at,
    )


def looks_page(page: Page[Look]) -> LooksPage:
    """Show a part of a user's looks."""
    return LooksPage(looks=[look_body(one) for one in page.things], next_cursor=page.next_cursor)
