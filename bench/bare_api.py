"""The same calls as a bare FastAPI application has them: a body checked, one statement, an answer.

It is what bench.api_latency compares with: no credentials, limits, ids, logs, metrics, or days of a cycle. It is served
as `python -m mien_api` serves its own, with the same settings (MIEN_POSTGRES__URL, MIEN_API__PORT), on the same tables.
"""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import obstore
import uvicorn
from fastapi import FastAPI, HTTPException, Query
from obstore.store import S3Store
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool
from pydantic import AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.model.looks import Preset, Product
from mien_core.settings import PostgresSettings, ServiceSettings, load

TENANT: Final = "bench"
NEWEST_FIRST: Final = "ORDER BY date DESC, created_at DESC, id DESC"

Row = dict[str, Any]
Label = Annotated[str, Field(min_length=1, max_length=100)]
Percent = Annotated[float, Field(ge=0, le=100)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Http(BaseModel):
    """Where it listens."""

    host: str = "127.0.0.1"
    port: int = 8001


class Settings(ServiceSettings):
    """Where the database is; the pool is as large as mien's."""

    postgres: PostgresSettings
    api: Http = Http()


class Body(BaseModel):
    """camelCase, as the frontends write it."""

    model_config = ConfigDict(alias_generator=AliasGenerator(to_camel), populate_by_name=True)


class NewEntry(Body):
    """A journal entry to be written."""

    user_id: Label
    date: date
    mood: Label | None = None
    energy: Percent | None = None
    text: Annotated[str, Field(max_length=10_000)] = ""
    tags: Annotated[list[Label], Field(max_length=50)] = []
    cycle_day: Annotated[int, Field(ge=1, le=366)] | None = None


class Entry(Body):
    """A journal entry."""

    entry_id: UUID
    user_id: str
    date: date
    mood: str | None
    energy: float | None
    text: str
    tags: list[str]
    cycle_day: int | None
    etag: str
    created_at: datetime
    updated_at: datetime


class Entries(Body):
    """A part of a journal."""

    entries: list[Entry]
    next_cursor: str | None


class Period(Body):
    """A logged day."""

    period_id: UUID
    user_id: str
    date: date
    cycle_length: int | None
    flow: str | None
    symptoms: list[str]
    created_at: datetime


class Periods(Body):
    """A part of a log of periods."""

    periods: list[Period]
    next_cursor: str | None


class Metrics(Body):
    """0-100."""

    radiance: float | None
    moisture: float | None
    texture: float | None
    pores: float | None
    dark_circles: float | None


class Scan(Body):
    """A line of the skin diary."""

    scan_id: UUID
    user_id: str
    date: date
    metrics: Metrics
    cycle_day: int | None
    created_at: datetime


class Scans(Body):
    """A part of a skin diary."""

    scans: list[Scan]
    next_cursor: str | None


class NewLook(Body):
    """A look to be saved."""

    user_id: Label
    upload_id: UUID | None = None
    name: Label
    presets: Annotated[list[Preset], Field(max_length=50)] = []
    products: Annotated[list[Product], Field(max_length=50)] = []


class Look(Body):
    """A saved look."""

    look_id: UUID
    user_id: str
    upload_id: UUID | None
    name: str
    presets: list[Preset]
    products: list[Product]
    created_at: datetime


class Looks(Body):
    """A part of a user's looks."""

    looks: list[Look]
    next_cursor: str | None


class Poster(BaseModel):
    """A line of the history."""

    user_id: str
    timestamp: datetime
    poster_url: str
    status: str
    job_id: UUID
    title: str
    prompt: str


class Posters(BaseModel):
    """A part of a user's posters."""

    posters: list[Poster]
    next_cursor: str | None


def create_app(settings: PostgresSettings) -> FastAPI:  # noqa: C901 - as many functions as there are calls
    """Make the app."""
    pool: AsyncConnectionPool[AsyncConnection[Row]] = AsyncConnectionPool(
        settings.url.get_secret_value(),
        # no BEGIN and no COMMIT: one statement is what it is
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=settings.pool_min,
        max_size=settings.pool_max,
        open=False,
    )

    store = S3Store("mien", config={"region": "us-east-1", "access_key_id": "bench", "secret_access_key": "bench"})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(
        lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
    )

    @app.post("/journal", status_code=201)
    async def write_entry(body: NewEntry) -> Entry:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO journal_entries (id, tenant, user_id, date, mood, energy, text, tags, cycle_day)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING *
                """,
                (
                    uuid4(),
                    TENANT,
                    body.user_id,
                    body.date,
                    body.mood,
                    body.energy,
                    body.text,
                    body.tags,
                    body.cycle_day,
                ),
            )
            row = await cursor.fetchone()
        return _entry(row or {})

    @app.get("/journal/{entry_id}")
    async def get_entry(entry_id: UUID) -> Entry:
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT * FROM journal_entries WHERE id = %s", (entry_id,))
            row = await cursor.fetchone()
        if row is None:
            raise HTTPException(404)
        return _entry(row)

    @app.get("/journal/user/{user_id}")
    async def list_entries(user_id: str, limit: Limit = 50) -> Entries:
        rows = await select(
            f"SELECT * FROM journal_entries WHERE tenant = %s AND user_id = %s {NEWEST_FIRST}",  # noqa: S608 - a constant
            user_id,
            limit,
        )
        return Entries(entries=[_entry(row) for row in rows[:limit]], next_cursor=_next(rows, limit))

    @app.get("/period/user/{user_id}")
    async def list_periods(user_id: str, limit: Limit = 50) -> Periods:
        rows = await select(
            "SELECT * FROM periods WHERE tenant = %s AND user_id = %s ORDER BY date DESC", user_id, limit
        )
        periods = [Period(period_id=row["id"], **row) for row in rows[:limit]]
        return Periods(periods=periods, next_cursor=_next(rows, limit))

    @app.get("/skin/user/{user_id}")
    async def list_scans(user_id: str, limit: Limit = 50) -> Scans:
        rows = await select(
            f"SELECT * FROM skin_scans WHERE tenant = %s AND user_id = %s {NEWEST_FIRST}",  # noqa: S608 - a constant
            user_id,
            limit,
        )
        scans = [Scan(scan_id=row["id"], metrics=Metrics(**row), **row) for row in rows[:limit]]
        return Scans(scans=scans, next_cursor=_next(rows, limit))

    @app.post("/looks/save", status_code=201)
    async def save_look(body: NewLook) -> Look:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO looks (id, tenant, user_id, upload_id, name, presets, products)
                VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING *
                """,
                (
                    uuid4(),
                    TENANT,
                    body.user_id,
                    body.upload_id,
                    body.name,
                    Json([one.model_dump(mode="json") for one in body.presets]),
                    Json([one.model_dump(mode="json") for one in body.products]),
                ),
            )
            row = await cursor.fetchone() or {}
        return Look(look_id=row["id"], **row)

    @app.get("/looks/{user_id}")
    async def list_looks(user_id: str, limit: Limit = 50) -> Looks:
        rows = await select(
            "SELECT * FROM looks WHERE tenant = %s AND user_id = %s ORDER BY created_at DESC, id DESC", user_id, limit
        )
        looks = [Look(look_id=row["id"], **row) for row in rows[:limit]]
        return Looks(looks=looks, next_cursor=_next(rows, limit))

    @app.get("/history")
    async def list_posters(user_id: str = "anna", limit: Limit = 50) -> Posters:
        rows = await select(
            """
            SELECT poster.*, jobs.status FROM user_poster_history AS poster JOIN jobs ON jobs.id = poster.job_id
            WHERE poster.tenant = %s AND poster.user_id = %s ORDER BY poster.timestamp DESC
            """,
            user_id,
            limit,
        )
        keys = [f"posters/{row['job_id']}.png" for row in rows[:limit]]
        urls = await obstore.sign_async(store, "GET", keys, timedelta(seconds=900))
        posters = [Poster(poster_url=url, **row) for row, url in zip(rows, urls, strict=False)]
        return Posters(posters=posters, next_cursor=_next(rows, limit))

    async def select(statement: str, user_id: str, limit: int) -> list[Row]:
        async with pool.connection() as connection:
            cursor = await connection.execute(f"{statement} LIMIT %s".encode(), (TENANT, user_id, limit + 1))
            return await cursor.fetchall()

    return app


def _entry(row: Row) -> Entry:
    return Entry(entry_id=row["id"], etag=f'"{row["version"]}"', **row)


def _next(rows: list[Row], limit: int) -> str | None:
    return str(rows[limit - 1].get("id")) if len(rows) > limit else None


def main() -> None:
    """Serve, with what `python -m mien_api` gives its server."""
    settings = load(Settings)
    app = create_app(settings.postgres)
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=settings.api.host,
        port=settings.api.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
