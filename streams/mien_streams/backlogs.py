"""What waits, as metrics: records for Kafka, and dead letters for a person. Whoever leads measures, nobody else."""

import prometheus_client

from mien_core.ports.database import Database

OUTBOX = prometheus_client.Gauge("mien_outbox_records", "Records that could be published and are not yet.")
OUTBOX_AGE = prometheus_client.Gauge("mien_outbox_oldest_seconds", "Age of the oldest record that could be published.")
LETTERS = prometheus_client.Gauge("mien_dead_letters", "Messages that nobody could take.", ["handler"])
LETTERS_AGE = prometheus_client.Gauge("mien_dead_letters_oldest_seconds", "Age of the oldest dead letter.", ["handler"])


class Backlogs:
    """Measures as long as it is asked to; a handler whose last dead letter is gone stays, at 0."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handlers: set[str] = set()

    async def measure(self) -> None:
        """Look once.

        Raises:
            Unavailable: the database can't be reached.
        """
        async with self._database.reading() as reading:
            records, age = await reading.outbox.due_count(), await reading.outbox.oldest_due_seconds()
            letters = await reading.dead_letters.backlogs()
        OUTBOX.set(records)
        OUTBOX_AGE.set(age)
        self._handlers |= letters.keys()
        for handler in self._handlers:
            backlog = letters.get(handler)
            LETTERS.labels(handler).set(backlog.count if backlog else 0)
            LETTERS_AGE.labels(handler).set(backlog.oldest_seconds if backlog else 0)

    def forget(self) -> None:
        """Say nothing any more: from now on another process may know better."""
        OUTBOX.set(0)
        OUTBOX_AGE.set(0)
        for handler in self._handlers:
            LETTERS.remove(handler)
            LETTERS_AGE.remove(handler)
        self._handlers.clear()
