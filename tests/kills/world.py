"""All that an operator changes, and how it is seen there: a cluster, an api on a database, and serving."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from aiohttp import web
from psycopg import sql

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.certificate.signing import verified
from mien_core.events import ErasureRequested
from mien_core.model.comparisons import Comparison, ComparisonWindow, Sides, Tally, Traffic, windows_to_json
from mien_core.model.keys import photo_key
from mien_core.model.privacy import Person
from mien_local.ports import HOST
from mien_operator.kinds import KINDS
from mien_streams.edge import Edge
from mien_streams.handlers.erase_user import EraseUser
from mien_streams.job_handler import JobHandler
from mien_streams.retention_runs import RetentionRuns
from tests.kills.door import Door
from tests.kills.operators import Operators
from tests.makers import SIGNING_KEY, new_upload
from tests.operators import Place
from tests.retention import worked_off
from tests.rollout_world import COMPARING_SECONDS, ROUTER, SimulatedServe, user_config
from tests.unit.streams.stand_ins import delivered

# what the api writes about callers, and what stays from life to life
_NOT_EFFECTS: Final = frozenset(
    {"alembic_version", "api_keys", "idempotency_keys", "rate_limits", "usage", "usage_jobs"}
)
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?")
_COLUMNS: Final = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type NOT IN ('bytea', 'timestamp with time zone')
      AND (table_name, column_name) NOT IN
          (('outbox', 'headers'), ('jobs', 'timings'), ('erasure_certificates', 'document'))
      AND is_identity = 'NO' AND coalesce(column_default, '') NOT LIKE 'nextval%' ORDER BY table_name, ordinal_position
"""
# where on a topic tests say that something was
_OFFSET: Final = re.compile(r"\b\d{9,}\b")
Seen = Mapping[str, Any]


def masked(text: str) -> str:
    """A text without ids and times."""
    return _OFFSET.sub("<offset>", _TIME.sub("<time>", _ID.sub("<id>", text)))


@dataclass
class Serving:
    """Serve's REST API and the router, as far as an operator asks them; what changed something is written down."""

    serve: SimulatedServe = field(default_factory=SimulatedServe)
    changes: list[Any] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    windows: dict[Comparison, ComparisonWindow] = field(default_factory=dict)
    url: str = ""

    def begin(self, now: datetime) -> None:
        """Have nothing run."""
        self.serve = SimulatedServe(now, compared_since=now)
        self.changes, self.bad, self.windows = [], set(), {}

    def details(self) -> dict[str, Any]:
        return self.serve.details()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Serving"]:
        """Answer for as long as the block lasts."""
        application = web.Application(client_max_size=2**26)
        application.router.add_get("/api/serve/applications/", self._get)
        application.router.add_put("/api/serve/applications/", self._put)
        application.router.add_get("/internal/comparisons", self._compared)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        self.url = f"http://{HOST}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _get(self, _: web.Request) -> web.Response:
        return web.json_response(self.serve.details())

    async def _put(self, request: web.Request) -> web.Response:
        configuration = await request.json()
        present = {name: one.config for name, one in self.serve.applications.items() if one.status != "DELETING"}
        if present != {one["name"]: one for one in configuration["applications"]}:
            self.changes.append(json.loads(masked(json.dumps(configuration))))
        self.serve.put(configuration)
        return web.Response()

    async def _compared(self, _: web.Request) -> web.Response:
        router = self.serve.applications.get(ROUTER)
        shadow = user_config(router.config).get("shadow") if router is not None else None
        if router is None or shadow is None:
            # what counts is unloaded then, or has gone with all else
            self.windows.clear()
        elif (self.serve.now - self.serve.compared_since).total_seconds() >= COMPARING_SECONDS:
            comparison = Comparison(**{name: value for name, value in shadow.items() if name != "percent"})
            self.windows[comparison] = ComparisonWindow(comparison, self.serve.now, self._tally(comparison.candidate))
        return web.Response(body=windows_to_json(tuple(self.windows.values()), self.serve.now))

    def _tally(self, candidate: str) -> Tally:
        asked = Traffic(1000, 400 if candidate in self.bad else 5)
        return Tally(asked=1000, traffic=Sides(Traffic(1000, 5), asked))


@dataclass
class World:
    """What is there for all lives, one after the other.

    Args:
        place: the namespace.
        operators: where operators come from.
        door: through which they go.
        url: of the database.
        database: where data are.
        store: likewise.
        serving: where models run.
        settings: an operator's.
    """

    place: Place
    operators: Operators
    door: Door
    url: str
    database: PostgresDatabase
    store: MemoryObjectStore
    serving: Serving
    settings: Mapping[str, Any]

    async def begin(self, now: datetime) -> None:
        """Have nothing there, for a life that begins."""
        self.door.steps.clear()
        self.serving.begin(now)
        await self.store.erase("")
        with psycopg.connect(self.url, autocommit=True) as connection:
            for table in _filled(connection):
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
        events = f"/apis/events.k8s.io/v1/namespaces/{self.place.namespace}/events"
        self.place.cluster.delete(events).raise_for_status()

    async def photos(self, tenant: str, count: int) -> None:
        """Have so many photos."""
        for _ in range(count):
            async with self.database.transaction() as transaction:
                upload = await transaction.uploads.add(new_upload(tenant=tenant))
            await self.store.put(photo_key(upload.id), b"photo", "image/jpeg")

    async def work(self) -> None:
        """Do what the roles retention and erase-user do."""
        await worked_off(RetentionRuns(self.database, self.store))
        async with self.database.reading() as reading:
            rows = await reading.outbox.due(10_000)
        handler = JobHandler(self.database, EraseUser(self.database, self.store, 0, SIGNING_KEY))
        for row in rows:
            if row.record.topic == ErasureRequested.topic:
                await Edge(self.database, handler).process(delivered(row.record))
                async with self.database.transaction() as transaction:
                    await transaction.outbox.remove([row.id])

    def seen(self, person: Person) -> Seen:
        """All that can be seen from outside, without ids and times."""
        return {
            **{f"{kind.kind}s": self._resources(kind.plural, person) for kind in KINDS},
            "events": sorted(
                {(one["regarding"]["name"], one["reason"], masked(one["note"])) for one in self._events()}
            ),
            "rows": self._rows(),
            "objects": sorted(masked(key) for key in self.store.keys()),  # noqa: SIM118 - no dict's
            "serve": json.loads(masked(json.dumps(self.serving.details(), sort_keys=True))),
            "weights": dict(self.serving.serve.weights),
            "changes of serve": list(self.serving.changes),
            "loads": list(self.serving.serve.loads),
        }

    def _events(self) -> Sequence[Mapping[str, Any]]:
        path = f"/apis/events.k8s.io/v1/namespaces/{self.place.namespace}/events"
        items: list[Mapping[str, Any]] = self.place.cluster.get(path).raise_for_status().json()["items"]
        return items

    def _resources(self, plural: str, person: Person) -> Mapping[str, Any]:
        kind = next(kind for kind in KINDS if kind.plural == plural)
        items = self.place.cluster.get(self.place.path(kind=kind)).raise_for_status().json()["items"]
        found = {}
        for item in items:
            metadata, status = item["metadata"], item.get("status", {})
            if "certificate" in status:
                # what it says of times, hashes and ids is true, or it isn't verified
                document = verified(status["certificate"]["document"], SIGNING_KEY.public, person)
                status = {**status, "certificate": dict(document.deleted.rows)}
            kept = {name: metadata.get(name) for name in ("generation", "finalizers", "annotations")}
            found[metadata["name"]] = json.loads(masked(json.dumps({**kept, "status": status}, sort_keys=True)))
        return found

    def _rows(self) -> Mapping[str, Sequence[str]]:
        columns: dict[str, list[str]] = {}
        with psycopg.connect(self.url, autocommit=True) as connection:
            filled = _filled(connection)
            for table, column in connection.execute(_COLUMNS).fetchall():
                if table in filled:
                    columns.setdefault(table, []).append(column)
            found = {}
            for table, names in columns.items():
                shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
                query = sql.SQL("SELECT concat_ws(' | ', {}) FROM {}").format(shown, sql.Identifier(table))
                found[table] = sorted(masked(row) for (row,) in connection.execute(query).fetchall())
        return found


def _filled(connection: psycopg.Connection[Any]) -> set[str]:
    """The tables with effects in them."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    names = [name for (name,) in tables if name not in _NOT_EFFECTS]
    parts = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in names
    ]
    return {name for (name,) in connection.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()}
