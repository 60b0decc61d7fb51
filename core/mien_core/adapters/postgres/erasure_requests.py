"""The erasure_requests table."""

from typing import Any, Final

from mien_core.adapters.postgres.statements import Statements
from mien_core.adapters.postgres.translation import as_uuid
from mien_core.model.privacy import ErasureRequest, Person, request_differs

# an update of the row as it is locks it
_ASK: Final = """
    INSERT INTO erasure_requests (id, pseudonym, requested_by) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING *
"""


class PostgresErasureRequests:
    """Meets ports.privacy.ErasureRequests."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def ask(self, request_id: str, person: Person, requested_by: str) -> ErasureRequest:
        """See ports.privacy.ErasureRequests."""
        parameters = (as_uuid(request_id), person.pseudonym, requested_by)
        row = await (await self._statements.execute(_ASK, parameters)).fetchone()
        assert row is not None  # noqa: S101 - INSERT … DO UPDATE … RETURNING has one row; tells mypy so
        request = _request(row)
        if request.pseudonym != person.pseudonym:
            raise request_differs()
        return request

    async def get(self, request_id: str) -> ErasureRequest | None:
        """See ports.privacy.ErasureRequests."""
        cursor = await self._statements.execute("SELECT * FROM erasure_requests WHERE id = %s", (as_uuid(request_id),))
        row = await cursor.fetchone()
        return _request(row) if row else None

    async def give(self, request_id: str, job_id: str) -> None:
        """See ports.privacy.ErasureRequests."""
        await self._statements.write(
            "UPDATE erasure_requests SET job_id = %s WHERE id = %s", (as_uuid(job_id), as_uuid(request_id))
        )


def _request(row: dict[str, Any]) -> ErasureRequest:
    return ErasureRequest(
        id=str(row["id"]),
        pseudonym=row["pseudonym"],
        requested_by=row["requested_by"],
        job_id=None if row["job_id"] is None else str(row["job_id"]),
    )
