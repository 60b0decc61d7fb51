"""The idempotency_keys table."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID, uuid4

from mien_core.adapters.postgres.statements import Connection, Parameters, Row
from mien_core.adapters.postgres.translation import translated
from mien_core.idempotency import Answered, Claim, InFlight, OtherRequest

# Only where nothing was claimed, the row is read. It is read as it was when the statement began, and a conflict also
# finds what was committed since: where that makes a difference, there is no row or one of somebody's under way.
_CLAIM = """
    WITH claimed AS (
        INSERT INTO idempotency_keys AS known (key, request_digest, attempt, seed, leased_until, expires_at)
        VALUES (%(key)s, %(request_digest)s, %(attempt)s, gen_random_uuid(),
                clock_timestamp() + make_interval(secs => %(lease_seconds)s),
                clock_timestamp() + make_interval(secs => %(keep_seconds)s))
        ON CONFLICT (key) DO UPDATE
        SET request_digest = excluded.request_digest, attempt = excluded.attempt, leased_until = excluded.leased_until,
            seed = CASE WHEN known.expires_at <= clock_timestamp() THEN excluded.seed ELSE known.seed END,
            expires_at = excluded.expires_at, answer = NULL, answered_at = NULL
        WHERE known.expires_at <= clock_timestamp()
           OR (known.answer IS NULL AND known.leased_until <= clock_timestamp()
               AND known.request_digest = excluded.request_digest)
        RETURNING seed
    )
    SELECT seed, true AS same, NULL::bytea AS answer, NULL::float8 AS age FROM claimed
    UNION ALL
    SELECT NULL, request_digest = %(request_digest)s, answer,
           extract(epoch FROM clock_timestamp() - answered_at)::float8
    FROM idempotency_keys
    WHERE key = %(key)s AND expires_at > clock_timestamp() AND NOT EXISTS (SELECT FROM claimed)
"""


class PostgresIdempotencyKeys:
    """Meets idempotency.IdempotencyKeys; connect gives connections that commit each statement by itself."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        self._connect = connect

    async def claim(
        self, key: bytes, request_digest: bytes, *, lease_seconds: float, keep_seconds: float
    ) -> Claim | Answered | InFlight | OtherRequest:
        """See idempotency.IdempotencyKeys."""
        attempt = uuid4()
        parameters = {
            "key": key,
            "request_digest": request_digest,
            "attempt": attempt,
            "lease_seconds": lease_seconds,
            "keep_seconds": keep_seconds,
        }
        _, row = await self._execute(_CLAIM, parameters)
        if row is None:
            # somebody claimed it in this very moment
            return InFlight()
        if row["seed"] is not None:
            return Claim(key, str(attempt), str(row["seed"]))
        if not row["same"]:
            return OtherRequest()
        return InFlight() if row["answer"] is None else Answered(row["answer"], max(0.0, row["age"]))

    async def complete(self, claim: Claim, answer: bytes) -> bool:
        """See idempotency.IdempotencyKeys."""
        count, _ = await self._execute(
            "UPDATE idempotency_keys SET answer = %s, answered_at = clock_timestamp()"
            " WHERE key = %s AND attempt = %s AND answer IS NULL",
            (answer, claim.key, UUID(claim.attempt)),
        )
        return count == 1

    async def release(self, claim: Claim) -> None:
        """See idempotency.IdempotencyKeys."""
        await self._execute(
            "DELETE FROM idempotency_keys WHERE key = %s AND attempt = %s AND answer IS NULL",
            (claim.key, UUID(claim.attempt)),
        )

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        """See idempotency.IdempotencyKeys."""
        await self._execute(
            """
            UPDATE idempotency_keys AS known SET leased_until = clock_timestamp() + make_interval(secs => %s)
            FROM unnest(%s::bytea[], %s::uuid[]) AS held (key, attempt)
            WHERE known.key = held.key AND known.attempt = held.attempt AND known.answer IS NULL
            """,
            (lease_seconds, [claim.key for claim in claims], [UUID(claim.attempt) for claim in claims]),
        )

    async def purge(self, limit: int) -> int:
        """See idempotency.IdempotencyKeys."""
        count, _ = await self._execute(
            """
            DELETE FROM idempotency_keys WHERE key IN (
                SELECT key FROM idempotency_keys WHERE expires_at <= clock_timestamp()
                ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
            )
            """,
            (limit,),
        )
        return count

    async def _execute(self, statement: str, parameters: Parameters) -> tuple[int, Row | None]:
        """Execute; give the number of rows, and the first of them if there are any to read."""
        with translated():
            async with self._connect() as connection:
                cursor = await connection.execute(statement, parameters)
                return cursor.rowcount, await cursor.fetchone() if cursor.description else None
