"""Overlays as GlamAI's frontend gets them; the field names are the contract's."""

from collections.abc import Iterable

from pydantic import Field

from mien_api.schemas import Schema
from mien_core.model.looks import Category, Preset
from mien_core.model.overlays import Overlay


class AssetBody(Schema):
    """An overlay: url is its picture for expiresIn seconds, preset what it comes ready for."""

    asset_id: str = Field(examples=["lipstick-full"])
    category: Category = Field(examples=["lipstick"])
    name: str = Field(examples=["Full lips"])
    url: str
    expires_in: int = Field(examples=[900])
    preset: Preset


class AssetsBody(Schema):
    """Overlays for AR, in the face mesh's UV space."""

    assets: list[AssetBody]


def assets_body(overlays: Iterable[tuple[Overlay, str]], expires: int) -> AssetsBody:
    """Show overlays, each with its URL."""
    return AssetsBody(
        assets=[
            AssetBody(
                asset_id=overlay.asset_id,
                category=overlay.category,
                name=overlay.name,
                url=url,
                expires_in=expires,
                preset=overlay.preset,
            )
            for overlay, url in overlays
        ]
    )
