"""What names a user: every table that does, how its rows are found, and how they go. The one list of it.

Whoever adds a table decides where it belongs; a test compares these three lists with the migrated database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mien_core.model.data_classes import DataClass
from mien_core.model.holds import WITH_JOB, WITH_UPLOAD


class Goes(Enum):
    """When a user's rows of a table go.

    BY_ITSELF: they are deleted, in the order of the list. WITH_OBJECTS: once what lies in the object store under their
    ids is deleted, together with what else names these ids. WITH_ITS_PARENT: the database deletes them with the row
    that they refer to. AT_THE_END: when nothing else is left.
    """

    BY_ITSELF = auto()
    WITH_OBJECTS = auto()
    WITH_ITS_PARENT = auto()
    AT_THE_END = auto()


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A table with rows about users.

    about is for the user who reads the export. key has the columns that tell its rows apart. A row is the user's whose
    id stands in user_column beside the tenant, or whose row of another table it refers to: parent is the referring
    column and that table. classes are those whose legal holds keep its rows; without any, only what keeps everything of
    the user does. hidden columns are left out of the export: they are the platform's secrets, or bytes of a
    message that says no more than the other columns.
    """

    name: str
    about: str
    goes: Goes = Goes.BY_ITSELF
    key: tuple[str, ...] = ("id",)
    user_column: str = "user_id"
    parent: tuple[str, str] | None = None
    hidden: tuple[str, ...] = ()
    classes: tuple[DataClass, ...] = ()


# In the order in which they go: what refers to a row comes before that row.
PERSONAL_TABLES: Final[Sequence[PersonalTable]] = (
    PersonalTable("journal_entries", "what you wrote into your journal", classes=(DataClass.JOURNAL,)),
    PersonalTable("periods", "the days that you logged", classes=(DataClass.PERIODS,)),
    PersonalTable("skin_scans", "your skin diary", classes=(DataClass.SKIN_SCANS,)),
    PersonalTable(
        "insights",
        "what you asked to be told of your diary, and what you were told",
        classes=(DataClass.JOURNAL, DataClass.PERIODS, DataClass.SKIN_SCANS),
    ),
    PersonalTable("looks", "the looks that you saved", classes=(DataClass.LOOKS,)),
    PersonalTable(
        "webhooks",
        "where you want to be told of the ends of your jobs",
        hidden=("key_id", "salt", "previous_key_id", "previous_salt"),
    ),
    PersonalTable(
        "user_poster_history",
        "the posters that you asked for",
        key=("tenant", "user_id", "timestamp"),
        hidden=("fingerprint",),
        classes=(DataClass.POSTERS,),
    ),
    PersonalTable("poster_ledger", "your credits: each row adds some or takes some", classes=(DataClass.POSTERS,)),
    # what was paid, when, and the provider's own reference stay in the audit log, which names no user
    PersonalTable("poster_payments", "what you ordered, and whether it was paid", classes=(DataClass.POSTERS,)),
    PersonalTable(
        "poster_accounts",
        "your plan, and your name on posters",
        key=("tenant", "user_id"),
        classes=(DataClass.POSTERS,),
    ),
    PersonalTable("skin_analyses", "what you were told of your skin", classes=(DataClass.ANALYSES,)),
    PersonalTable(
        "dead_letters",
        "work of yours that could not be done",
        Goes.WITH_ITS_PARENT,
        parent=("job_id", "jobs"),
        hidden=("key", "value", "headers"),
        classes=(DataClass.DEAD_LETTERS,),
    ),
    PersonalTable(
        "analyses",
        "what each photo was found to show",
        Goes.WITH_ITS_PARENT,
        key=("upload_id",),
        parent=("upload_id", "uploads"),
        classes=(DataClass.ANALYSES,),
    ),
    PersonalTable(
        "recommendations",
        "the looks that each photo was recommended",
        Goes.WITH_ITS_PARENT,
        key=("upload_id",),
        parent=("upload_id", "uploads"),
        classes=(DataClass.ANALYSES, DataClass.LOOKS),
    ),
    PersonalTable(
        "photo_days",
        "the days that photos are about",
        Goes.WITH_ITS_PARENT,
        key=("upload_id",),
        parent=("upload_id", "uploads"),
        classes=(DataClass.PHOTOS,),
    ),
    PersonalTable(
        "tryon_looks",
        "the looks that you tried on",
        Goes.WITH_ITS_PARENT,
        key=("session_id",),
        parent=("session_id", "tryon_sessions"),
        classes=(DataClass.TRYON_SESSIONS,),
    ),
    PersonalTable(
        "tryon_sessions",
        "your try-on sessions",
        Goes.WITH_ITS_PARENT,
        parent=("id", "jobs"),
        classes=(DataClass.TRYON_SESSIONS,),
    ),
    PersonalTable(
        "job_events",
        "the steps of that work",
        Goes.WITH_ITS_PARENT,
        key=("job_id", "seq"),
        parent=("job_id", "jobs"),
        classes=(DataClass.JOB_EVENTS,),
    ),
    PersonalTable(
        "uploads", "your photos: what for, when, and with which consent", Goes.WITH_OBJECTS, classes=WITH_UPLOAD
    ),
    PersonalTable("jobs", "the work that was asked for", Goes.WITH_OBJECTS, classes=WITH_JOB),
    PersonalTable("users", "that you are a user", Goes.AT_THE_END, user_column="id"),
)

# Tables whose rows name the ids of a user's uploads and jobs without referring to them, and so go with those.
TRACES: Final[Mapping[str, str]] = {
    "outbox": "records that wait for their publication; their keys and values are ids of uploads and jobs",
    "dead_letters": "letters of no job, such as a notification of the object store: they name an upload",
    "usage_jobs": "which jobs were counted",
    "webhook_deliveries": "messages about the ends of jobs that wait to be sent",
}

# Tables in which nobody is found.
IMPERSONAL_TABLES: Final[Mapping[str, str]] = {
    "alembic_version": "the schema's version",
    "api_keys": "credentials of tenants; their owner is who runs a service, not one of its users",
    "audit_log": "who did what; users are named by their pseudonym only, which is what proves that they were erased",
    "erased_media": "keys of objects that are gone, looked at once more and then forgotten; they name nobody",
    "erasures": "names its user while it is under way, afterwards by pseudonym: who asked may look at how it ended",
    "idempotency_keys": "found and read only with what the caller alone has (decision 17); gone after 24 hours",
    "erasure_certificates": "what proves that somebody was erased; by pseudonym only",
    "erasure_counts": "how much an erasure has deleted, by its job",
    "erasure_requests": "which erasures operators asked for; users are named by their pseudonym only",
    "inbox": "which handler has dealt with which event: ids made of ids, from which nothing can be told",
    "legal_holds": "names its user while it stands, afterwards by pseudonym: it outlives what it kept",
    "products": "the catalogue that looks are recommended from",
    "retention_items": "lists of what was due: ids of rows and keys of objects, without users; gone after 90 days",
    "retention_runs": "which policies were carried out, and how many things they were about",
    "rate_limits": "keys are hashes; a window is over after a minute",
    "usage": "how often a tenant called which route",
}
