"""The products and recommendations tables."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.looks import Shade
from mien_core.model.recommendations import CatalogueProduct, NewRecommendation, Recommendation, RecommendedLook

_LOOKS: Final = TypeAdapter(tuple[RecommendedLook, ...])


class PostgresProducts:
    """Meets ports.recommendations.Products."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def replace(self, products: Sequence[CatalogueProduct]) -> None:
        """See ports.recommendations.Products."""
        # of two who replace it at once one waits, so that the catalogue is one's or the other's and no mixture
        await self._statements.write("LOCK TABLE products IN EXCLUSIVE MODE")
        await self._statements.write("DELETE FROM products")
        await self._statements.write(
            """
            INSERT INTO products (id, category, name, shade_name, shade_hex, finish, url)
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
            """,
            (
                [one.product_id for one in products],
                [one.category for one in products],
                [one.name for one in products],
                [one.shade.name for one in products],
                [one.shade.hex for one in products],
                [one.finish for one in products],
                [one.url for one in products],
            ),
        )

    async def all(self) -> list[CatalogueProduct]:
        """See ports.recommendations.Products."""
        cursor = await self._statements.execute('SELECT * FROM products ORDER BY id COLLATE "C"')
        return [_product(row) for row in await cursor.fetchall()]


class PostgresRecommendations:
    """Meets ports.recommendations.Recommendations."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, recommendation: NewRecommendation) -> None:
        """See ports.recommendations.Recommendations."""
        await self._statements.write(
            """
            INSERT INTO recommendations (upload_id, job_id, tenant, user_id, engine, looks)
            VALUES (%s, %s, %s, %s, %s, %s::json)
            ON CONFLICT (upload_id) DO UPDATE
            SET job_id = excluded.job_id, engine = excluded.engine, looks = excluded.looks,
                created_at = excluded.created_at
            """,
            (
                recommendation.upload_id,
                recommendation.job_id,
                recommendation.tenant,
                recommendation.user_id,
                recommendation.recommendation.engine,
                _LOOKS.dump_json(recommendation.recommendation.looks).decode(),
            ),
        )

    async def get(self, upload_id: str) -> Recommendation | None:
        """See ports.recommendations.Recommendations."""
        cursor = await self._statements.execute(
            "SELECT engine, looks::text FROM recommendations WHERE upload_id = %s", (as_uuid(upload_id),)
        )
        row = await cursor.fetchone()
        # as text: pydantic reads JSON itself, and faster than from what another parser made of it
        return Recommendation(engine=row["engine"], looks=_LOOKS.validate_json(row["looks"])) if row else None


def _product(row: dict[str, Any]) -> CatalogueProduct:
    return CatalogueProduct(
        product_id=row["id"],
        category=row["category"],
        name=row["name"],
        shade=Shade(name=row["shade_name"], hex=row["shade_hex"]),
        finish=row["finish"],
        url=row["url"],
    )
