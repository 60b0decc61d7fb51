# mypy: disable-error-code="import-not-found,import-untyped"
# Quix Streams runs in the peers' environment.
"""Quix Streams: one event after the other; its checkpoints commit the offsets of what was processed."""

import os
from typing import Any

import psycopg
from effects import BROKER, DATABASE, TOPIC, from_kafka, save_now
from quixstreams import Application


def main() -> None:
    """Do the jobs until told to stop."""
    app = Application(
        broker_address=BROKER,
        consumer_group=f"bench-quix-{TOPIC}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=os.environ["BENCH_FOLDER"],
        loglevel="WARNING",
    )
    with psycopg.connect(DATABASE, autocommit=True) as connection:

        def note(value: dict[str, str], _key: Any, _timestamp: int, headers: list[tuple[str, bytes]]) -> None:
            save_now(connection, from_kafka(headers, value))

        app.dataframe(app.topic(TOPIC, value_deserializer="json")).update(note, metadata=True)
        app.run()


if __name__ == "__main__":
    main()
