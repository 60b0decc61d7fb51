"""The looks table."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.uploads import NOTING_USER
from mien_core.model.looks import Look, LookPosition, NewLook, Preset, Product

_PRESETS: Final = TypeAdapter(tuple[Preset, ...])
_PRODUCTS: Final = TypeAdapter(tuple[Product, ...])

# as text: pydantic reads JSON itself, and faster than from what another parser made of it
_COLUMNS = "id, tenant, user_id, upload_id, name, presets::text, products::text, created_at"
_ADD = f"""
    {NOTING_USER}
    INSERT INTO looks (id, tenant, user_id, upload_id, name, presets, products)
    VALUES (%(id)s, %(tenant)s, %(user_id)s, %(upload_id)s, %(name)s, %(presets)s::json, %(products)s::json)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING created_at
"""  # noqa: S608 - a constant of this package
_LIST = f"""
    SELECT {_COLUMNS} FROM looks
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s
    AND (created_at, id) < (%(after_created_at)s, %(after_id)s)
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant of this module
# with a condition that lets everything pass the list is one statement, which the server plans once
_NEWEST: Final = LookPosition(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class PostgresLooks:
    """Meets ports.looks.Looks."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, look: NewLook) -> Look:
        """See ports.looks.Looks."""
        values = {
            "id": look.id,
            "tenant": look.tenant,
            "user_id": look.user_id,
            "upload_id": look.upload_id,
            "name": look.name,
            "presets": _PRESETS.dump_json(look.presets).decode(),
            "products": _PRODUCTS.dump_json(look.products).decode(),
        }
        row = await (await self._statements.execute(_ADD, values)).fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING has one row; tells mypy so
        return Look(
            id=look.id,
            tenant=look.tenant,
            user_id=look.user_id,
            upload_id=look.upload_id,
            name=look.name,
            presets=look.presets,
            products=look.products,
            created_at=row["created_at"],
        )

    async def of_user(self, tenant: str, user_id: str, *, after: LookPosition | None, limit: int) -> list[Look]:
        """See ports.looks.Looks."""
        position = after or _NEWEST
        cursor = await self._statements.execute(
            _LIST,
            {
                "tenant": tenant,
                "user_id": user_id,
                "after_created_at": position.created_at,
                "after_id": position.id,
                "limit": limit,
            },
        )
        return [_look(row) for row in await cursor.fetchall()]


def _look(row: dict[str, Any]) -> Look:
    return Look(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        upload_id=None if row["upload_id"] is None else str(row["upload_id"]),
        name=row["name"],
        presets=_PRESETS.validate_json(row["presets"]),
        products=_PRODUCTS.validate_json(row["products"]),
        created_at=row["created_at"],
    )
