"""The nouns of a user's rights: who it is about, what is held of them, and their erasure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Self

from mien_core.errors import Conflict
from mien_core.model.keys import job_prefixes, upload_prefix
from mien_core.model.platform import Caller, JobKind


def erasure_in_progress() -> Conflict:
    """What is told to whoever would write something about a user who is being erased."""
    detail = "All that is held about this user is being erased. Try again when the erasure's job has ended."
    return Conflict("erasure_in_progress", detail)


def request_differs() -> Conflict:
    """What is told to whoever asks for another user's erasure under an id that is taken."""
    return Conflict("request_differs", "A request with this id is about somebody else. Ask under an id of its own.")


def pseudonym(tenant: str, user_id: str) -> str:
    """Name a user in records that outlive them: who knows the user finds the records, and nobody the other way.

    The first 128 bits of the SHA-256 of both.
    """
    # as JSON, so that no two pairs are written alike; it takes ids that are no proper text, too
    return "user:" + sha256(json.dumps([tenant, user_id]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Person:
    """A tenant's user, whether or not there is a row for them."""

    tenant: str
    user_id: str

    @property
    def pseudonym(self) -> str:
        """See the function."""
        return pseudonym(self.tenant, self.user_id)


@dataclass(frozen=True, slots=True)
class Erasure:
    """A user's erasure; job_id is its job. user_id is known until it has ended, the pseudonym stays."""

    job_id: str
    tenant: str
    user_id: str | None
    pseudonym: str
    requested_at: datetime

    @property
    def person(self) -> Person | None:
        """Who is being erased; None once it has ended."""
        return None if self.user_id is None else Person(self.tenant, self.user_id)

    def as_seen_by(self, caller: Caller) -> Self:
        """As if it named whom the pseudonym stands for, if that is the caller; else it names nobody."""
        own = caller.user_id is not None and pseudonym(caller.tenant, caller.user_id) == self.pseudonym
        return replace(self, user_id=caller.user_id if own else None)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What an erasure has deleted: rows by table, and how many objects with their versions."""

    rows: Mapping[str, int] = field(default_factory=dict)
    objects: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What proves an erasure, and whom it is about, by pseudonym."""

    job_id: str
    pseudonym: str
    document: str


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What an operator asked for; job_id is the job that does it, None as long as there is none."""

    id: str
    pseudonym: str
    requested_by: str
    job_id: str | None


@dataclass(frozen=True, slots=True)
class PersonalRow:
    """A row as JSON text, and its place among the user's rows of its table."""

    position: str
    json: str


@dataclass(frozen=True, slots=True)
class Media:
    """A user's upload with its jobs, or a job without one: that under whose ids objects may lie.

    is_late says that some may still come: a URL for them is valid, or a worker was at it until a moment ago.
    """

    position: str
    upload_id: str | None
    jobs: tuple[tuple[str, JobKind], ...]
    is_late: bool

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the keys of its objects begin with."""
        of_upload = () if self.upload_id is None else (upload_prefix(self.upload_id),)
        # what an analysis makes lies with its photo
        made = [job_id for job_id, kind in self.jobs if kind is not JobKind.ANALYSE_FACE]
        return (*of_upload, *(prefix for job_id in made for prefix in job_prefixes(job_id)))
