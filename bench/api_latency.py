"""The plain calls at 16 clients, beside a bare FastAPI handler that does one statement on the same Postgres.

Both are servers of their own, started the same way (bench/bare_api.py is the other one), and are called in turns by
clients in this process. cpu_ratio is what the server's process computes for a request: where others use the machine,
too, that moves less than the times. `python -m bench.api_latency` starts a Postgres of its own; arguments choose calls
by name.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from uuid import uuid4

import psutil
import psycopg
import uvloop
from pydantic import SecretStr

from bench.closed_loop import series
from bench.figures import percentile, report
from bench.own_postgres import own_postgres
from mien_api import keys
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings
from mien_local.issuer.keys import new_key
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import AUDIENCE, TENANT_CLAIM, new_token

P50_LIMIT: Final = 1.5
P99_LIMIT: Final = 2.0
REQUESTS: Final = 480
# the first warms up: imports, connections, prepared statements
TURNS: Final = 1 + 10
START_SECONDS: Final = 30.0

TENANT: Final = "bench"
USER: Final = "anna"
ENTRY: Final = "6f9619ff-8b86-4011-842d-00cf4fc964ff"

# A year of one user's diaries. The days of the cycle are left to the log, so that mien has to tell them.
ROWS: Final = """
    INSERT INTO users (tenant, id) VALUES ('bench', 'anna'), ('bench', 'bea');
    INSERT INTO journal_entries (id, tenant, user_id, date, mood, energy, text, tags)
    SELECT gen_random_uuid(), 'bench', 'anna', date '2026-11-20' - d, 'calm', 70, 'Slept well.', '{sleep,work}'
    FROM generate_series(1, 365) d;
    INSERT INTO journal_entries (id, tenant, user_id, date, mood, energy, text, tags)
    VALUES ('6f9619ff-8b86-4011-842d-00cf4fc964ff', 'bench', 'anna', '2026-11-20', 'calm', 70, 'Slept well.', '{work}');
    INSERT INTO periods (id, tenant, user_id, date, cycle_length, flow, symptoms)
    SELECT gen_random_uuid(), tenant, u, date '2026-11-10' - c * 28 + d, 28, 'medium', '{cramps}'
    FROM generate_series(0, 12) c, generate_series(0, 4) d, (VALUES ('bench', 'anna'), ('bench', 'bea')) v (tenant, u);
    INSERT INTO skin_scans (id, tenant, user_id, date, radiance, moisture, texture, pores, dark_circles)
    SELECT gen_random_uuid(), 'bench', 'anna', date '2026-11-20' - d, 60, 50, 70, 55, 65 FROM generate_series(1, 100) d;
    INSERT INTO looks (id, tenant, user_id, name, presets, products, created_at)
    SELECT gen_random_uuid(), 'bench', 'anna', 'Soft evening',
        '[{"category": "lipstick", "color": "#A4414B", "finish": "satin", "intensity": 0.7, "asset_id": null}]',
        '[{"product_id": "lip-017", "name": "Lip", "shade": null, "url": null, "reason": null}]',
        timestamptz '2026-11-20 12:00Z' - d * interval '1 day' FROM generate_series(1, 60) d;
    INSERT INTO jobs (id, tenant, user_id, kind, status, deadline_at)
    SELECT gen_random_uuid(), 'bench', 'anna', 'render-poster', 'completed', now() FROM generate_series(1, 20);
    INSERT INTO user_poster_history
           (tenant, user_id, timestamp, job_id, title, prompt, genre, style, aspect, fingerprint)
    SELECT tenant, user_id, timestamptz '2026-11-20 12:00Z' - row_number() OVER () * interval '1 hour', id,
           'The Last Lighthouse', 'A keeper finds a door beneath the sea.', 'drama', 'classic', '2:3', id::text::bytea
    FROM jobs;
    ANALYZE;
"""
NEW_ENTRY: Final = {
    "userId": "bea",
    "date": "2026-11-20",
    "mood": "calm",
    "energy": 70,
    "text": "Slept well.",
    "tags": ["sleep", "work"],
}
NEW_LOOK: Final = {
    "userId": "bea",
    "name": "Soft evening",
    "presets": [{"category": "lipstick", "color": "#A4414B", "finish": "satin", "intensity": 0.7}],
    "products": [],
}


@dataclass(frozen=True)
class Call:
    """A call of mien's; bare is the path that it is compared with, where that is another one.

    limit is what its p50 may be in times of the bare one's.
    """

    name: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200
    token: bool = False
    headers: Callable[[], Mapping[str, str]] = field(default=dict)
    limit: float = P50_LIMIT

    def request(self, credential: str | None) -> bytes:
        """The next request."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
        if credential is not None:
            headers |= {"Authorization": f"Bearer {credential}", **self.headers()}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


CALLS: Final = (
    Call("post_journal", "POST", "/journal", NEW_ENTRY, 201),
    Call("get_journal_entry", "GET", f"/journal/{ENTRY}"),
    Call("list_journal", "GET", f"/journal/user/{USER}"),
    Call("list_looks", "GET", f"/looks/{USER}"),
    Call("post_look", "POST", "/looks/save", NEW_LOOK, 201),
    Call("list_periods", "GET", f"/period/user/{USER}"),
    Call("list_skin", "GET", f"/skin/user/{USER}"),
    # both sign a URL for each poster
    Call("list_history", "GET", "/history", token=True),
    Call("get_journal_entry_by_token", "GET", f"/journal/{ENTRY}", token=True),
    Call("list_journal_by_token", "GET", f"/journal/user/{USER}", token=True),
    # A claim and an answer to keep are a commit each: it may cost what bench.idempotency allows.
    Call(
        "post_journal_idempotent",
        "POST",
        "/journal",
        NEW_ENTRY,
        201,
        headers=lambda: {"Idempotency-Key": str(uuid4())},
        limit=3 * P50_LIMIT,
    ),
)


@dataclass
class Measured:
    """What one server was seen to take: the seconds of each request, and of its processor for all of them."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def milliseconds(self, percent: int) -> float:
        """The time below which so many percent of the requests were answered."""
        return percentile(self.seconds, percent) * 1000

    @property
    def cpu_ms(self) -> float:
        """What a request takes of the processor."""
        return self.cpu_seconds / len(self.seconds) * 1000


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = psutil.Process(process.pid)
        self._popen = process
        self.port = port

    async def measure(self, call: Call, credential: str | None, into: Measured) -> None:
        """Call it, and add what that took."""
        before = self._cpu_seconds()
        into.seconds += await series(self.port, lambda: call.request(credential), call.status, REQUESTS)
        into.cpu_seconds += self._cpu_seconds() - before

    def await_answer(self) -> None:
        """Wait until it answers anything."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
            try:
                connection.request("GET", "/nowhere")
                connection.getresponse().read()
            except ConnectionError:
                if self._popen.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server didn't start") from None
                time.sleep(0.02)
            else:
                return
            finally:
                connection.close()

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


def run(environment: Mapping[str, str], chosen: Sequence[str] = ()) -> None:
    """Print the figures, on the Postgres of this environment; it must be fresh."""
    url = environment["MIEN_POSTGRES__URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ROWS)
    key = new_key()
    with IssuerServer([key]) as issuer:
        api_key = asyncio.run(_new_api_key(url))
        token = new_token(key, issuer.url, USER, TENANT)
        settings = {**os.environ, **environment, **_settings(issuer.url)}
        with _started("mien_api", settings) as mien, _started("bench.bare_api", settings) as bare:
            for call in CALLS:
                if not chosen or call.name in chosen:
                    _report(call, *uvloop.run(_compare(call, token if call.token else api_key, mien, bare)))


def _settings(issuer: str) -> dict[str, str]:
    trusted = [{"url": issuer, "audiences": [AUDIENCE], "tenant_claim": TENANT_CLAIM}]
    return {
        "MIEN_API__HOST": "127.0.0.1",
        # nobody is asked with them: they sign the posters' URLs
        "MIEN_S3__ACCESS_KEY_ID": "bench",
        "MIEN_S3__SECRET_ACCESS_KEY": "bench",
        "MIEN_API__LIMITS__CALLER": "1000000000",
        "MIEN_CREDENTIALS__ISSUERS": json.dumps(trusted),
    }


async def _new_api_key(url: str) -> str:
    async with PostgresDatabase(PostgresSettings(url=SecretStr(url))) as database:
        _, secret = await keys.create(database, TENANT, "bench", frozenset({"*"}))
    return secret


@contextlib.contextmanager
def _started(module: str, environment: Mapping[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**environment, "MIEN_API__PORT": str(port)},
        # mien logs each request: that is part of what it takes
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server(process, port)
        server.await_answer()
        yield server
    finally:
        process.terminate()
        process.wait(START_SECONDS)


async def _compare(call: Call, credential: str, mien: Server, bare: Server) -> tuple[Measured, Measured]:
    ours, theirs = Measured(), Measured()
    for turn in range(TURNS):
        if turn == 1:
            ours, theirs = Measured(), Measured()
        await mien.measure(call, credential, ours)
        await bare.measure(call, None, theirs)
    return ours, theirs


def _report(call: Call, ours: Measured, theirs: Measured) -> None:
    report(
        f"api_{call.name}_p50",
        ours.milliseconds(50) / theirs.milliseconds(50),
        "times",
        call.limit,
        p99_ratio=round(ours.milliseconds(99) / theirs.milliseconds(99), 3),
        p99_limit=call.limit / P50_LIMIT * P99_LIMIT,
        cpu_ratio=round(ours.cpu_ms / theirs.cpu_ms, 3),
        p50_ms=round(ours.milliseconds(50), 2),
        p99_ms=round(ours.milliseconds(99), 2),
        cpu_ms=round(ours.cpu_ms, 3),
        bare_p50_ms=round(theirs.milliseconds(50), 2),
        bare_p99_ms=round(theirs.milliseconds(99), 2),
        bare_cpu_ms=round(theirs.cpu_ms, 3),
    )


if __name__ == "__main__":
    with own_postgres() as _environment:
        run(_environment, sys.argv[1:])
