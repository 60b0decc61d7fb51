"""The tables tryon_sessions and tryon_looks."""

import logging
from typing import Any, Final

from pydantic import TypeAdapter

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.looks import Preset
from mien_core.model.platform import Job, JobError
from mien_core.model.tryon import NewTryOnSession, SessionState, TryOnSession
from mien_core.rules.tryon import CANCELLED, state_of

logger = logging.getLogger(__name__)

_PRESETS: Final = TypeAdapter(tuple[Preset, ...])

_ADD: Final = """
    WITH added AS (
        INSERT INTO tryon_sessions (id, user_token, input_image_url, expires_at)
        VALUES (%s, %s, %s, now() + make_interval(secs => %s))
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )
    INSERT INTO tryon_looks (session_id, presets) SELECT id, %s::json FROM added
"""
# presets as text: pydantic reads JSON itself
_GET: Final = """
    SELECT session.*, look.presets::text AS presets, jobs.tenant, jobs.user_id, jobs.error_detail
    FROM tryon_sessions AS session
    JOIN tryon_looks AS look ON look.session_id = session.id
    JOIN jobs ON jobs.id = session.id
    WHERE session.id = %s AND session.expires_at > clock_timestamp()
"""
_FOLLOW: Final = """
    UPDATE tryon_sessions SET status = %s, output_image_url = %s, error_reason = %s, updated_at = %s WHERE id = %s
"""


class PostgresTryOnSessions:
    """Meets ports.tryon.TryOnSessions."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, session: NewTryOnSession) -> None:
        """See ports.tryon.TryOnSessions."""
        presets = _PRESETS.dump_json(session.presets).decode()
        values = (as_uuid(session.id), session.user_token, session.input_key, session.keep_seconds, presets)
        await self._statements.write(_ADD, values)

    async def get(self, session_id: str) -> TryOnSession | None:
        """See ports.tryon.TryOnSessions."""
        row = await (await self._statements.execute(_GET, (as_uuid(session_id),))).fetchone()
        return _session(row) if row else None


async def follow(statements: Statements, job: Job) -> None:
    """Have the session of a job that has moved say so; only jobs.py calls this, in the transaction of the move."""
    state = state_of(job)
    await statements.write(
        _FOLLOW, (state.status, state.output_key, state.error_reason, job.updated_at, as_uuid(job.id))
    )
    fields = {"job_id": job.id, "status": state.status, "error_reason": state.error_reason}
    logger.info("A try-on session moves to %s", state.status, extra=fields)


def _session(row: dict[str, Any]) -> TryOnSession:
    state = SessionState(row["status"], row["output_image_url"], row["error_reason"])
    return TryOnSession(
        id=str(row["id"]),
        tenant=row["tenant"],
        user_id=row["user_id"],
        user_token=row["user_token"],
        input_key=row["input_image_url"],
        presets=_PRESETS.validate_json(row["presets"]),
        state=state,
        error=_error(state.error_reason, row["error_detail"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
    )


def _error(reason: str | None, detail: str | None) -> JobError | None:
    if reason is None:
        return None
    # a cancelled job has no error of its own
    return CANCELLED if detail is None else JobError(reason, detail)
