"""What the in-memory database holds about a user, and erasures."""

import json
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_jsonable_python

from mien_core.adapters.memory.holds import keep_held
from mien_core.adapters.memory.state import State
from mien_core.model.holds import WITH_UPLOAD
from mien_core.model.personal_data import PERSONAL_TABLES, Goes, PersonalTable
from mien_core.model.privacy import (
    Certificate,
    Deleted,
    Erasure,
    ErasureRequest,
    Media,
    Person,
    PersonalRow,
    request_differs,
)

_TABLES = {table.name: table for table in PERSONAL_TABLES}
# Those whose rows lie in a container of the state by the same name, each as itself or in a tuple of its like.
_HELD = frozenset(
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


class MemoryPersonalData:
    """Meets ports.privacy.PersonalData for the tables that all applications share; the others are empty to it."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def rows(self, table: str, person: Person, after: str, limit: int) -> list[PersonalRow]:
        """See ports.privacy.PersonalData."""
        spec = _TABLES[table]
        rows = (_shown(spec, row) for rows in self._of(spec, person).values() for row in rows)
        return sorted((row for row in rows if row.position > after), key=lambda row: row.position)[:limit]

    async def media(self, person: Person, after: str, limit: int, late_seconds: float = 0) -> list[Media]:
        """See ports.privacy.PersonalData."""
        since = _now() - timedelta(seconds=late_seconds)
        jobs = [job for (job,) in self._of(_TABLES["jobs"], person).values()]
        found = [
            Media(f"1{job.id}", None, ((job.id, job.kind),), job.updated_at > since)
            for job in jobs
            if job.upload_id is None
        ]
        for (upload,) in self._of(_TABLES["uploads"], person).values():
            own = [job for job in jobs if job.upload_id == upload.id]
            moved_at = max([upload.created_at, *(job.updated_at for job in own)])
            kinds = tuple((job.id, job.kind) for job in own)
            found.append(Media(f"0{upload.id}", upload.id, kinds, moved_at > since))
        return sorted((one for one in found if one.position > after), key=lambda one: one.position)[:limit]

    async def open_jobs(self, person: Person, limit: int) -> list[str]:
        """See ports.privacy.PersonalData."""
        jobs = (job for (job,) in self._of(_TABLES["jobs"], person).values())
        return [job.id for job in jobs if not job.status.ended][:limit]

    async def remove_media(self, person: Person, media: Collection[Media]) -> Mapping[str, int]:
        """See ports.privacy.PersonalData."""
        uploads = self._of(_TABLES["uploads"], person).keys() & {one.upload_id for one in media}
        named = {job_id for one in media for job_id, _ in one.jobs}
        jobs = {
            key
            for key, (job,) in self._of(_TABLES["jobs"], person).items()
            if job.id in named or job.upload_id in uploads
        }
        ids = {str(one) for one in (*uploads, *jobs)}
        if ids:
            keep_held(self._state, person, *WITH_UPLOAD)
        before = self._sizes()
        self._forget_traces(ids)
        for table in PERSONAL_TABLES:
            if table.goes is Goes.WITH_ITS_PARENT:
                container = self._container(table)
                for key, rows in self._of(table, person).items():
                    column, _ = table.parent or ("", "")
                    if any(str(getattr(row, column)) in ids for row in rows):
                        del container[key]
        for key in uploads:
            del self._state.uploads[str(key)]
        for key in jobs:
            del self._state.jobs[str(key)]
        return before - self._sizes()

    async def remove_rows(self, person: Person, limit: int) -> Mapping[str, int]:
        """See ports.privacy.PersonalData."""
        for table in PERSONAL_TABLES:
            keys = list(self._of(table, person))[:limit] if table.goes is Goes.BY_ITSELF else []
            if not keys:
                continue
            keep_held(self._state, person, *table.classes)
            for key in keys:
                del self._container(table)[key]
            return {table.name: len(keys)}
        return {}

    async def remaining(self, person: Person) -> Mapping[str, int]:
        """See ports.privacy.PersonalData."""
        tables = [table for table in PERSONAL_TABLES if table.goes is not Goes.AT_THE_END]
        counts = {table.name: sum(map(len, self._of(table, person).values())) for table in tables}
        return {name: count for name, count in counts.items() if count}

    async def remove_user(self, person: Person) -> None:
        """See ports.privacy.PersonalData."""
        if self._state.users.pop((person.tenant, person.user_id), None) is not None:
            keep_held(self._state, person)

    def _container(self, table: PersonalTable) -> dict[Hashable, Any]:
        container: dict[Hashable, Any] = getattr(self._state, table.name) if table.name in _HELD else {}
        return container

    def _of(self, table: PersonalTable, person: Person) -> dict[Hashable, tuple[Any, ...]]:
        """The user's rows of a table by their keys; under one key there may be several."""
        grouped = {
            key: value if isinstance(value, tuple) else (value,) for key, value in self._container(table).items()
        }
        if table.parent is None:
            return {
                key: rows
                for key, rows in grouped.items()
                if (rows[0].tenant, getattr(rows[0], table.user_column)) == (person.tenant, person.user_id)
            }
        column, parent = table.parent
        parents = self._of(_TABLES[parent], person)
        return {key: rows for key, rows in grouped.items() if getattr(rows[0], column) in parents}

    def _forget_traces(self, ids: Collection[str]) -> None:
        state, names = self._state, [one.encode() for one in ids]
        for row_id, (_, row) in list(state.outbox.items()):
            if any(name == row.record.key or name in row.record.value for name in names):
                del state.outbox[row_id]
        for letter_id, letter in list(state.dead_letters.items()):
            if letter.job_id is None and any(name == letter.key or name in letter.value for name in names):
                del state.dead_letters[letter_id]
        for job_id in ids:
            state.usage_jobs.pop(job_id, None)

    def _sizes(self) -> Counter[str]:
        rows = {table.name: self._container(table).values() for table in PERSONAL_TABLES}
        sizes = {
            name: sum(len(one) if isinstance(one, tuple) else 1 for one in values) for name, values in rows.items()
        }
        return Counter({**sizes, "outbox": len(self._state.outbox), "usage_jobs": len(self._state.usage_jobs)})


class MemoryErasures:
    """Meets ports.privacy.Erasures."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def begin(self, job_id: str, person: Person) -> Erasure:
        """See ports.privacy.Erasures."""
        known = self._state.erasures.get(job_id)
        opened = (one for one in self._state.erasures.values() if one.person == person)
        erasure = known or next(opened, None)
        if erasure is None:
            erasure = Erasure(job_id, person.tenant, person.user_id, person.pseudonym, _now())
            self._state.erasures[job_id] = erasure
        return erasure

    async def get(self, job_id: str) -> Erasure | None:
        """See ports.privacy.Erasures."""
        return self._state.erasures.get(job_id)

    async def end(self, job_id: str) -> None:
        """See ports.privacy.Erasures."""
        erasure = self._state.erasures.get(job_id)
        if erasure is not None:
            ended = Erasure(job_id, erasure.tenant, None, erasure.pseudonym, erasure.requested_at)
            self._state.erasures[job_id] = ended

    async def count(self, job_id: str, deleted: Deleted) -> None:
        """See ports.privacy.Erasures."""
        known = self._state.erasure_counts.get(job_id, Deleted())
        rows = Counter(known.rows) + Counter(deleted.rows)
        self._state.erasure_counts[job_id] = Deleted(rows, known.objects + deleted.objects)

    async def counts(self, job_id: str) -> Deleted:
        """See ports.privacy.Erasures."""
        return self._state.erasure_counts.get(job_id, Deleted())

    async def certify(self, job_id: str, pseudonym: str, document: str) -> None:
        """See ports.privacy.Erasures."""
        self._state.erasure_certificates.setdefault(job_id, Certificate(job_id, pseudonym, document))

    async def certificate(self, job_id: str) -> Certificate | None:
        """See ports.privacy.Erasures."""
        return self._state.erasure_certificates.get(job_id)

    async def watch(self, job_id: str, prefixes: Sequence[str], seconds: float) -> None:
        """See ports.privacy.Erasures."""
        until = _now() + timedelta(seconds=seconds)
        for prefix in prefixes:
            _, earlier = self._state.erased_media.get(prefix, (job_id, until))
            self._state.erased_media[prefix] = (job_id, max(earlier, until))

    async def watched(self, job_id: str, limit: int) -> list[str]:
        """See ports.privacy.Erasures."""
        return sorted(prefix for prefix, (whose, _) in self._state.erased_media.items() if whose == job_id)[:limit]

    async def unwatch(self, job_id: str, prefixes: Collection[str]) -> None:
        """See ports.privacy.Erasures."""
        for prefix in prefixes:
            whose, _ = self._state.erased_media.get(prefix, ("", None))
            if whose == job_id:
                del self._state.erased_media[prefix]

    async def seconds_watched(self, job_id: str) -> float:
        """See ports.privacy.Erasures."""
        until = [until for whose, until in self._state.erased_media.values() if whose == job_id]
        return max(0.0, (max(until) - _now()).total_seconds()) if until else 0.0


class MemoryErasureRequests:
    """Meets ports.privacy.ErasureRequests."""

    def __init__(self, state: State) -> None:
        self._requests = state.erasure_requests

    async def ask(self, request_id: str, person: Person, requested_by: str) -> ErasureRequest:
        """See ports.privacy.ErasureRequests."""
        new = ErasureRequest(request_id, person.pseudonym, requested_by, None)
        request = self._requests.setdefault(request_id, new)
        if request.pseudonym != person.pseudonym:
            raise request_differs()
        return request

    async def get(self, request_id: str) -> ErasureRequest | None:
        """See ports.privacy.ErasureRequests."""
        return self._requests.get(request_id)

    async def give(self, request_id: str, job_id: str) -> None:
        """See ports.privacy.ErasureRequests."""
        self._requests[request_id] = replace(self._requests[request_id], job_id=job_id)


def _shown(table: PersonalTable, row: Any) -> PersonalRow:
    fields = {name: value for name, value in to_jsonable_python(row, fallback=str).items() if name not in table.hidden}
    return PersonalRow("/".join(str(getattr(row, column)) for column in table.key), json.dumps(fields))


def _now() -> datetime:
    return datetime.now(UTC)
