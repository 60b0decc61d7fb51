"""Which rows of the in-memory database are a data class's, as adapters/postgres/retention_tables.py has it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mien_core.adapters.memory.state import State
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import WITH_JOB, WITH_UPLOAD
from mien_core.model.platform import Owned


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a class: its name on a list, whose it is, how old, and what goes with it."""

    name: str
    at: datetime
    tenant: str | None
    user_id: str | None
    settled: bool = True
    upload_id: str | None = None
    job_ids: tuple[str, ...] = ()

    def held_with(self, data_class: DataClass) -> tuple[DataClass, ...]:
        """The classes of all that goes along with it."""
        table = self.name.split("/")[0]
        return _HELD_WITH.get(table, (data_class,))


_HELD_WITH = {
    "uploads": WITH_UPLOAD,
    "tryon_sessions": WITH_UPLOAD,
    "user_poster_history": WITH_JOB,
    "recommendations": (DataClass.ANALYSES, DataClass.LOOKS),
}
_HELD_BY_ID = {
    DataClass.JOURNAL: ("journal_entries",),
    DataClass.PERIODS: ("periods",),
    DataClass.SKIN_SCANS: ("skin_scans",),
    DataClass.ANALYSES: ("analyses", "skin_analyses"),
    DataClass.LOOKS: ("looks",),
}


def tables_of(data_class: DataClass) -> int:
    """In how many tables a class's rows are."""
    return 2 if data_class in {DataClass.ANALYSES, DataClass.LOOKS} else 1


def rows_of(state: State, data_class: DataClass) -> list[Row]:
    """All rows of a class, in the order of their names."""
    return sorted(_rows(state, data_class), key=lambda row: row.name)


def _rows(state: State, data_class: DataClass) -> Iterator[Row]:
    for table in _HELD_BY_ID.get(data_class, ()):
        for key, row in getattr(state, table).items():
            yield Row(f"{table}/{key}", row.created_at, row.tenant, row.user_id)
    if data_class in _OTHERS:
        yield from _OTHERS[data_class](state)


def _uploads(state: State) -> Iterator[Row]:
    return (_of_upload(state, upload_id) for upload_id in state.uploads)


def _recommendations(state: State) -> Iterator[Row]:
    for key, one in state.recommendations.items():
        # it is made by its job, and has no moment of its own here
        yield Row(f"recommendations/{key}", state.jobs[one.job_id].updated_at, one.tenant, one.user_id)


def _sessions(state: State) -> Iterator[Row]:
    for key, (_, created_at) in state.tryon_sessions.items():
        job = state.jobs[key]
        name = f"tryon_sessions/{key}"
        yield Row(name, created_at, job.tenant, job.user_id, job.status.ended, job.upload_id, (key,))


def _posters(state: State) -> Iterator[Row]:
    for key, one in state.posters.items():
        settled = state.jobs[key].status.ended
        yield Row(f"user_poster_history/{key}", one.timestamp, one.tenant, one.user_id, settled, None, (key,))


def _letters(state: State) -> Iterator[Row]:
    for number, letter in state.dead_letters.items():
        job = state.jobs.get(letter.job_id or "")
        yield Row(f"dead_letters/{number}", letter.created_at, *_owners(job))


def _records(state: State) -> Iterator[Row]:
    for number, (available_at, row) in state.outbox.items():
        key = row.record.key.decode(errors="replace")
        at = max(row.created_at, available_at)
        yield Row(f"outbox/{number}", at, *_owners(state.uploads.get(key) or state.jobs.get(key)))


def _steps(state: State) -> Iterator[Row]:
    for job_id, steps in state.job_events.items():
        job = state.jobs[job_id]
        for step in steps[:-1]:
            yield Row(f"job_events/{job_id}/{step.seq}", step.at, job.tenant, job.user_id, job.status.ended)


def _owners(owned: Owned | None) -> tuple[str | None, str | None]:
    return (owned.tenant, owned.user_id) if owned else (None, None)


_OTHERS: Mapping[DataClass, Callable[[State], Iterator[Row]]] = {
    DataClass.PHOTOS: _uploads,
    DataClass.LOOKS: _recommendations,
    DataClass.TRYON_SESSIONS: _sessions,
    DataClass.POSTERS: _posters,
    DataClass.DEAD_LETTERS: _letters,
    DataClass.OUTBOX: _records,
    DataClass.JOB_EVENTS: _steps,
}


def owner_row(state: State, upload_id: str | None, job_id: str | None) -> Row | None:
    """What an object belongs to; None if it is gone."""
    if upload_id in state.uploads:
        return _of_upload(state, str(upload_id))
    job = state.jobs.get(job_id or "")
    return (
        job
        if job is None
        else Row(f"jobs/{job.id}", job.created_at, job.tenant, job.user_id, job.status.ended, None, (job.id,))
    )


def remove(state: State, row: Row) -> None:
    """Delete a row, and all that goes with it."""
    table, _, key = row.name.partition("/")
    if row.upload_id is not None and (table == "uploads" or state.uploads[row.upload_id].purpose == "tryon"):
        remove_upload(state, row.upload_id)
    elif row.job_ids:
        for job_id in row.job_ids:
            _remove_job(state, job_id)
    elif table == "job_events":
        job_id, _, seq = key.partition("/")
        state.job_events[job_id] = tuple(step for step in state.job_events[job_id] if step.seq != int(seq))
    else:
        container = getattr(state, table)
        del container[int(key) if table in {"outbox", "dead_letters"} else key]


def remove_upload(state: State, upload_id: str) -> None:
    """Delete an upload with all that refers to it."""
    for job in [job for job in state.jobs.values() if job.upload_id == upload_id]:
        _remove_job(state, job.id)
    for container in (state.uploads, state.analyses, state.recommendations, state.photo_days):
        container.pop(upload_id, None)


def _remove_job(state: State, job_id: str) -> None:
    state.jobs.pop(job_id, None)
    state.job_events.pop(job_id, None)
    state.tryon_sessions.pop(job_id, None)
    state.posters.pop(job_id, None)
    letters = state.dead_letters.items()
    state.dead_letters = {number: one for number, one in letters if one.job_id != job_id}


def _of_upload(state: State, upload_id: str) -> Row:
    upload = state.uploads[upload_id]
    jobs = [job for job in state.jobs.values() if job.upload_id == upload_id]
    settled = all(job.status.ended for job in jobs)
    ids = tuple(job.id for job in jobs)
    return Row(f"uploads/{upload_id}", upload.created_at, upload.tenant, upload.user_id, settled, upload_id, ids)
