# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"
# Faust runs in the peers' environment.
"""Plain Faust: one event after the other, acknowledged by Faust itself once the body of the loop is through.

Several at a time (`concurrency=`) is no option here: then Faust commits past events that are still being worked on.
"""

import json
import os
from typing import Any

import faust
import psycopg
from effects import BROKER, DATABASE, TOPIC, from_kafka, save

app = faust.App(
    f"bench-faust-{TOPIC}",
    broker=f"kafka://{BROKER}",
    value_serializer="raw",
    key_serializer="raw",
    store="memory://",
    datadir=os.environ["BENCH_FOLDER"],
    web_enabled=False,
)


@app.agent(app.topic(TOPIC, key_type=bytes, value_type=bytes))
async def note(stream: Any) -> None:
    """Do the jobs."""
    async with await psycopg.AsyncConnection.connect(DATABASE, autocommit=True) as connection:
        async for event in stream.events():
            await save(connection, from_kafka(event.headers.items(), json.loads(event.value)))
