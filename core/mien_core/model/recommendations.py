"""Recommended looks, and the catalogue of products that they may name."""

from dataclasses import dataclass

from mien_core.model.looks import Category, Finish, Part, Preset, Product, Shade
from mien_core.model.texts import Label, Line, Link


class CatalogueProduct(Part):
    """A product that may be recommended, in one shade."""

    product_id: Label
    category: Category
    name: Line
    shade: Shade
    finish: Finish
    url: Link


class RecommendedLook(Part):
    """A look for one face: reason is one sentence, presets say what goes where, products are the catalogue's."""

    name: Line
    reason: str
    presets: tuple[Preset, ...]
    products: tuple[Product, ...]


class Recommendation(Part):
    """Looks for one photo, and the engine that thought of them."""

    engine: str
    looks: tuple[RecommendedLook, ...]


@dataclass(frozen=True, slots=True)
class NewRecommendation:
    """A recommendation to be saved. job_id is the job that it was made by: the analysis', or one of its own."""

    upload_id: str
    job_id: str
    tenant: str
    user_id: str | None
    recommendation: Recommendation
