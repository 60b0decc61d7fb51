"""Users with something in every table, and how one sees that nothing of them is left, whatever the platform thinks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import psycopg
from psycopg import sql

from mien_core.events import to_record, upload_received
from mien_core.intake import start_analysis
from mien_core.model.cycle import DiaryMetrics, JournalContent, NewJournalEntry, NewPeriod, NewSkinScan
from mien_core.model.keys import annotated_key, mask_key, original_key, photo_key
from mien_core.model.looks import NewLook
from mien_core.model.platform import JobKind, JobStatus, NewJob, NewSkinAnalysis
from mien_core.model.privacy import Person
from mien_core.ports.database import Database
from mien_core.ports.messages import Record
from mien_core.ports.objects import ObjectStore
from mien_core.usage import Calls, UsageCount
from tests.makers import new_analysis, new_dead_letter, new_recommendation, new_upload

TODAY = date(2026, 11, 21)
# the tables in which live() leaves something
SHARED_TABLES = frozenset(
    {
        "analyses",
        "dead_letters",
        "job_events",
        "jobs",
        "journal_entries",
        "looks",
        "periods",
        "recommendations",
        "skin_analyses",
        "skin_scans",
        "uploads",
        "users",
    }
)
# of the pictures that lie under an analysed upload
PICTURES = 3


@dataclass(frozen=True)
class Life:
    """Somebody, and the ids of what they left: an analysed photo, an announced one, its job, a job without a photo."""

    person: Person
    analysed: str
    announced: str
    jobs: tuple[str, str, str]

    @property
    def marks(self) -> tuple[str, ...]:
        """Words that nothing has in it once the person is erased."""
        return (self.person.user_id, self.analysed, self.announced, *self.jobs)


async def live(database: Database, store: ObjectStore, tenant: str = "acme", user_id: str | None = None) -> Life:
    """Have somebody do everything that a user can; without a name they get one that is nowhere else."""
    person = Person(tenant, user_id or f"user-{uuid4()}")
    owner = {"tenant": tenant, "user_id": person.user_id}
    async with database.transaction() as transaction:
        analysed = await transaction.uploads.add(new_upload(**owner, purpose="glam", consent="given"))
        announced = await transaction.uploads.add(new_upload(**owner, purpose="skin"))
        done = await start_analysis(transaction, analysed)
        under_way = await start_analysis(transaction, announced)
        await transaction.analyses.save(new_analysis(analysed, done.id))
        await transaction.recommendations.save(new_recommendation(analysed, done.id))
        await transaction.jobs.change(done.id, JobStatus.COMPLETED)
        alone = NewJob(str(uuid4()), tenant, person.user_id, JobKind.ANALYSE_FACE, None, 600)
        await transaction.jobs.create(alone)
        await transaction.skin_analyses.save(NewSkinAnalysis(done.id, tenant, person.user_id, "dry", (), 80, 1))
        content = JournalContent(TODAY, "calm", 70.0, f"About {person.user_id}.", ("a",), 3)
        await transaction.journal.add(NewJournalEntry(str(uuid4()), tenant, person.user_id, content))
        period = NewPeriod(id=str(uuid4()), **owner, date=TODAY, cycle_length=None, flow="light", symptoms=("cramps",))
        await transaction.periods.log(period)
        metrics = DiaryMetrics(radiance=62.5, moisture=None, texture=0.0, pores=100.0, dark_circles=50.0)
        await transaction.skin_scans.add(NewSkinScan(str(uuid4()), tenant, person.user_id, TODAY, metrics, None))
        await transaction.looks.add(NewLook(str(uuid4()), tenant, person.user_id, analysed.id, "Evening", (), ()))
        of_job, of_upload = uuid4().int % 10**12, uuid4().int % 10**12
        await transaction.dead_letters.add(new_dead_letter(offset=of_job, job_id=done.id))
        notification = f'{{"Records":[{{"s3":{{"object":{{"key":"{original_key(announced.id)}"}}}}}}]}}'.encode()
        await transaction.dead_letters.add(new_dead_letter(offset=of_upload, value=notification))
        await transaction.outbox.add(Record("mien.s3-notifications", b"mien", notification, ()), 3600)
        await transaction.outbox.add(to_record(upload_received(announced.id, under_way.id)), 3600)
        calls = Calls(tenant, TODAY, "/analyze", "POST")
        await transaction.usage.add([UsageCount(calls, 1, 0)], [(done.id, calls)])
    await store.put(photo_key(analysed.id), b"\xff\xd8\xffphoto", "image/jpeg")
    await store.put(annotated_key(analysed.id), b"\x89PNG annotated", "image/png")
    await store.put(mask_key(analysed.id, "radiance"), b"\x89PNG mask", "image/png")
    await store.put(original_key(announced.id), b"RIFF original", "image/webp")
    return Life(person, analysed.id, announced.id, (done.id, under_way.id, alone.id))


_ELSEWHERE = """
    INSERT INTO photo_days (upload_id, date) VALUES (%(upload)s, now());
    INSERT INTO tryon_sessions (id, user_token, input_image_url, expires_at)
    VALUES (%(job)s, 'anybody', 'uploads/1/photo', now() + interval '1 day');
    INSERT INTO tryon_looks (session_id, presets) VALUES (%(job)s, '[]');
    INSERT INTO insights (id, tenant, user_id, first_day, last_day)
    VALUES (gen_random_uuid(), %(tenant)s, %(user)s, now(), now());
    INSERT INTO poster_accounts (tenant, user_id, name) VALUES (%(tenant)s, %(user)s, 'Anna');
    INSERT INTO poster_payments (id, tenant, user_id, pack, amount, currency, credits, status, provider_reference)
    VALUES (%(payment)s, %(tenant)s, %(user)s, 'starter', 500, 'eur', 10, 'completed', 'pi_1');
    INSERT INTO poster_ledger (tenant, user_id, kind, amount, payment_id)
    VALUES (%(tenant)s, %(user)s, 'purchase', 10, %(payment)s);
    INSERT INTO user_poster_history
    (tenant, user_id, timestamp, job_id, title, prompt, genre, style, aspect, fingerprint)
    VALUES (%(tenant)s, %(user)s, now(), %(job)s, 'T', 'A door.', 'drama', 'noir', '2:3', '\\x00');
    INSERT INTO webhooks (id, tenant, user_id, url, events, key_id, salt)
    VALUES (gen_random_uuid(), %(tenant)s, %(user)s, 'https://example.com/', '{job.completed}', 'k', gen_random_uuid());
    INSERT INTO webhook_deliveries (webhook_id, type, job_id, seq)
    VALUES (gen_random_uuid(), 'job.completed', %(job)s, 2);
"""


async def live_everywhere(url: str, database: Database, store: ObjectStore, *who: str) -> Life:
    """As live, and rows in the tables of single applications as well."""
    life = await live(database, store, *who)
    person = life.person
    values = {
        "tenant": person.tenant,
        "user": person.user_id,
        "upload": life.analysed,
        "job": life.jobs[2],
        "payment": uuid4(),
    }
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_ELSEWHERE, values)
    return life


def rows_of(url: str) -> Mapping[str, Sequence[str]]:
    """Every row of every table as text, by table: bytes as they read."""
    found = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        for (table,) in tables:
            columns = connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", (table,)
            ).fetchall()
            shown = [
                sql.SQL("encode({}, 'escape')" if kind == "bytea" else "{}::text").format(sql.Identifier(name))
                for name, kind in columns
            ]
            query = sql.SQL("SELECT concat_ws(' | ', {}) FROM {} ORDER BY 1").format(
                sql.SQL(", ").join(shown), sql.Identifier(table)
            )
            found[table] = [row for (row,) in connection.execute(query).fetchall()]
    return found


def naming(url: str, marks: Sequence[str]) -> dict[str, list[str]]:
    """The rows with one of the words in them, by table."""
    rows = {table: [row for row in found if any(m in row for m in marks)] for table, found in rows_of(url).items()}
    return {table: found for table, found in rows.items() if found}
