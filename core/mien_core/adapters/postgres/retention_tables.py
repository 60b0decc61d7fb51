"""Which rows are a data class's, whose they are, how old they are, when they may go, and how they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mien_core.model.data_classes import DataClass
from mien_core.model.holds import WITH_JOB, WITH_UPLOAD

_NO_OPEN_JOB: Final = """
    NOT EXISTS (
        SELECT FROM jobs AS open
        WHERE open.upload_id = {upload} AND open.status IN ('created', 'processing')
    )
"""
_ENDED: Final = "jobs.status NOT IN ('created', 'processing')"
_NO_MEDIA: Final = ("NULL::uuid", "'{}'::uuid[]")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a class.

    name is the table whose rows they are, and rows what is read: that table, and those that tell whose they are. key is
    the columns that tell them apart, with their types. at is what their age is counted from. settled is whether nobody
    works on them. held_with is the classes of all that goes along. media are the upload and the jobs whose objects go
    with a row. removal deletes rows by %(uploads)s and %(jobs)s, the media of all of them; None: they are deleted by
    their key.
    """

    name: str
    rows: str
    key: tuple[tuple[str, str], ...]
    held_with: tuple[DataClass, ...]
    tenant: str = "tenant"
    user: str = "user_id"
    at: str = "created_at"
    settled: str = "true"
    media: tuple[str, str] = _NO_MEDIA
    removal: Sequence[str] | None = None

    @property
    def has_objects(self) -> bool:
        """Whether objects go with the rows."""
        return self.media != _NO_MEDIA


def _plain(name: str, *held_with: DataClass, key: str = "id") -> Table:
    return Table(
        name,
        name,
        ((f"{name}.{key}", "uuid"),),
        held_with,
        tenant=f"{name}.tenant",
        user=f"{name}.user_id",
        at=f"{name}.created_at",
    )


_JOBS_OF_UPLOAD: Final = "ARRAY(SELECT of_it.id FROM jobs AS of_it WHERE of_it.upload_id = {upload})"
# A record's key is the id of an upload or a job, or nothing that anybody is known by.
_ID_IN_KEY: Final = """
    CASE WHEN encode(outbox.key, 'escape') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
         THEN encode(outbox.key, 'escape')::uuid END
"""

UPLOADS: Final = Table(
    "uploads",
    "uploads",
    (("uploads.id", "uuid"),),
    WITH_UPLOAD,
    tenant="uploads.tenant",
    user="uploads.user_id",
    at="uploads.created_at",
    settled=_NO_OPEN_JOB.format(upload="uploads.id"),
    media=("uploads.id", _JOBS_OF_UPLOAD.format(upload="uploads.id")),
    removal=("DELETE FROM uploads WHERE id = ANY(%(uploads)s)",),
)
JOBS: Final = Table(
    "jobs",
    "jobs",
    (("jobs.id", "uuid"),),
    WITH_JOB,
    tenant="jobs.tenant",
    user="jobs.user_id",
    at="jobs.created_at",
    settled=_ENDED,
    media=("NULL::uuid", "ARRAY[jobs.id]"),
    removal=("DELETE FROM jobs WHERE id = ANY(%(jobs)s)",),
)

TABLES: Final[Mapping[DataClass, Sequence[Table]]] = {
    DataClass.PHOTOS: (UPLOADS,),
    DataClass.ANALYSES: (
        _plain("analyses", DataClass.ANALYSES, key="upload_id"),
        _plain("skin_analyses", DataClass.ANALYSES),
    ),
    DataClass.LOOKS: (
        _plain("looks", DataClass.LOOKS),
        _plain("recommendations", DataClass.ANALYSES, DataClass.LOOKS, key="upload_id"),
    ),
    DataClass.TRYON_SESSIONS: (
        Table(
            "tryon_sessions",
            "tryon_sessions JOIN jobs ON jobs.id = tryon_sessions.id",
            (("tryon_sessions.id", "uuid"),),
            WITH_UPLOAD,
            tenant="jobs.tenant",
            user="jobs.user_id",
            at="tryon_sessions.created_at",
            settled=_ENDED,
            media=("jobs.upload_id", "ARRAY[jobs.id]"),
            # a session goes with its photo, as when its day is over
            removal=(
                "DELETE FROM uploads WHERE id = ANY(%(uploads)s) AND purpose = 'tryon'",
                "DELETE FROM jobs WHERE id = ANY(%(jobs)s)",
            ),
        ),
    ),
    DataClass.POSTERS: (
        Table(
            "user_poster_history",
            "user_poster_history JOIN jobs ON jobs.id = user_poster_history.job_id",
            (("user_poster_history.job_id", "uuid"),),
            WITH_JOB,
            tenant="user_poster_history.tenant",
            user="user_poster_history.user_id",
            at="user_poster_history.timestamp",
            settled=_ENDED,
            media=JOBS.media,
            removal=JOBS.removal,
        ),
    ),
    DataClass.JOURNAL: (_plain("journal_entries", DataClass.JOURNAL),),
    DataClass.PERIODS: (_plain("periods", DataClass.PERIODS),),
    DataClass.SKIN_SCANS: (_plain("skin_scans", DataClass.SKIN_SCANS),),
    DataClass.DEAD_LETTERS: (
        Table(
            "dead_letters",
            "dead_letters LEFT JOIN jobs ON jobs.id = dead_letters.job_id",
            (("dead_letters.id", "bigint"),),
            (DataClass.DEAD_LETTERS,),
            tenant="jobs.tenant",
            user="jobs.user_id",
            at="dead_letters.created_at",
        ),
    ),
    DataClass.OUTBOX: (
        Table(
            "outbox",
            f"outbox LEFT JOIN uploads ON uploads.id = {_ID_IN_KEY} LEFT JOIN jobs ON jobs.id = {_ID_IN_KEY}",
            (("outbox.id", "bigint"),),
            (DataClass.OUTBOX,),
            tenant="coalesce(uploads.tenant, jobs.tenant)",
            user="coalesce(uploads.user_id, jobs.user_id)",
            # what is to be published later has not waited since it was written
            at="greatest(outbox.created_at, outbox.available_at)",
        ),
    ),
    DataClass.JOB_EVENTS: (
        Table(
            "job_events",
            "job_events JOIN jobs ON jobs.id = job_events.job_id",
            (("job_events.job_id", "uuid"), ("job_events.seq", "integer")),
            (DataClass.JOB_EVENTS,),
            tenant="jobs.tenant",
            user="jobs.user_id",
            at="job_events.at",
            # its last step is what a job is; those before it are how it came to that
            settled=f"""{_ENDED} AND EXISTS (
                SELECT FROM job_events AS later WHERE later.job_id = job_events.job_id AND later.seq > job_events.seq
            )""",
        ),
    ),
}
