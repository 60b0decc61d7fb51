"""What every adapter keeps of the catalogue and of recommendations: the same suite runs against Postgres and memory."""

import asyncio

from mien_core.model.looks import Preset, Product, Shade
from mien_core.model.platform import Job, JobKind, Upload
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation, Recommendation, RecommendedLook
from mien_core.ports.database import Database
from tests.makers import new_job, new_upload


def product(product_id: str, name: str = "Velvet; 100 % 'soft'") -> CatalogueProduct:
    return CatalogueProduct(
        product_id=product_id,
        category="lipstick",
        name=name,
        shade=Shade(name="\u05d0 Rosewood", hex="#A4414B"),
        finish="satin",
        url="https://shop.example/?a=1&b=%20",
    )


def recommendation(engine: str = "ranker") -> Recommendation:
    preset = Preset(category="lipstick", color="#A4414B", finish="satin", intensity=0.7, asset_id="lipstick-full")
    named = Product(product_id="lip-1", name="Velvet", shade=Shade(name="One", hex="#A4414B"), reason="It's \u2728.")
    look = RecommendedLook(name="Soft evening", reason="Why not?", presets=(preset,), products=(named,))
    return Recommendation(engine=engine, looks=(look, look))


async def begun(database: Database) -> tuple[Upload, Job]:
    async with database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(user_id="anna"))
        job, _ = await transaction.jobs.create(new_job(upload, kind=JobKind.RECOMMEND_LOOKS))
    return upload, job


async def save(database: Database, upload: Upload, job: Job, what: Recommendation) -> None:
    async with database.transaction() as transaction:
        await transaction.recommendations.save(
            NewRecommendation(upload.id, job.id, upload.tenant, upload.user_id, what)
        )


async def test_a_catalogue_comes_back_by_id(database: Database) -> None:
    """Every field survives, the order is that of the ids' letters, and there is none before."""
    products = [product("lip-2"), product("Lip-3"), product("lip-10")]
    async with database.transaction() as transaction:
        assert await transaction.products.all() == []
        await transaction.products.replace(products)
    async with database.reading() as reading:
        assert await reading.products.all() == [products[1], products[2], products[0]]


async def test_another_catalogue_takes_the_place_of_the_first(database: Database) -> None:
    """What isn't in it is gone, what has changed is as it is there; an empty one is one, too."""
    for products in ([product("a"), product("b")], [product("b", "Other"), product("c")], []):
        async with database.transaction() as transaction:
            await transaction.products.replace(products)
        async with database.reading() as reading:
            assert await reading.products.all() == products


async def test_two_catalogues_at_once_are_no_mixture(database: Database) -> None:
    """The result is one of them, whole."""
    catalogues = [[product(f"{name}-{number}") for number in range(5)] for name in "abcdefgh"]

    async def replace(products: list[CatalogueProduct]) -> None:
        async with database.transaction() as transaction:
            await transaction.products.replace(products)

    await asyncio.gather(*(replace(products) for products in catalogues))
    async with database.reading() as reading:
        assert await reading.products.all() in catalogues


async def test_a_recommendation_comes_back_as_it_was_saved(database: Database) -> None:
    """Looks in their order, with every field; another upload and what is no id have none."""
    upload, job = await begun(database)
    other, _ = await begun(database)
    await save(database, upload, job, recommendation())
    async with database.reading() as reading:
        assert await reading.recommendations.get(upload.id) == recommendation()
        assert await reading.recommendations.get(other.id) is None
        assert await reading.recommendations.get("no-id") is None


async def test_a_second_recommendation_replaces_the_first(database: Database) -> None:
    """An upload has one."""
    upload, job = await begun(database)
    for engine in ("ranker", "other"):
        await save(database, upload, job, recommendation(engine))
    async with database.reading() as reading:
        assert await reading.recommendations.get(upload.id) == recommendation("other")
