"""Who is behind a request: a user by a token, a tenant by an API key, or nobody where an application asks for none."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from mien_api.credential_settings import CredentialSettings
from mien_api.credentials import PREFIX
from mien_api.known_keys import KnownKeys
from mien_api.tokens import POINTS_OF_A_TOKEN, Tokens
from mien_core.errors import Conflict, Rejected
from mien_core.model.platform import Caller, JobKind
from mien_core.ports.database import Database

# About 2 MB at most. Who falls out of it costs one statement at their next request.
USERS_REMEMBERED: Final = 10_000


class Authentication:
    """Finds out who calls. One a process.

    Args:
        database: where keys and users are.
        settings: whose tokens count, and who may come without any.
        clock: seconds that only go forward, for the age of issuers' keys and of what is known of API keys.
    """

    def __init__(
        self, database: Database, settings: CredentialSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._anonymous: dict[str, str] = dict(settings.anonymous.items())
        self._tokens = Tokens(settings, clock)
        self._keys = KnownKeys(database, clock)
        # in the order of their coming
        self._seen: dict[tuple[str, str], None] = {}

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Keep what is needed up to date as long as the block lasts."""
        async with self._tokens.ready():
            yield

    async def caller(self, authorization: str | None) -> Caller:
        """Find out who calls, from an Authorization header: a token or a key, as `Bearer …` or raw.

        A user whom this process hasn't seen gets a row if there is none.

        Raises:
            Rejected: credential_missing or credential_invalid.
            Unavailable: issuer_unavailable.
        """
        if authorization is None or not authorization.strip():
            detail = "Send a token or an API key in the Authorization header: Bearer …"
            raise Rejected("credential_missing", detail)
        scheme, _, rest = authorization.strip().partition(" ")
        credential = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
        if credential.startswith(PREFIX):
            return await self._keys.caller(credential)
        # whether it is one is looked at when it is read; one that is known needn't be
        if credential.count(".") == POINTS_OF_A_TOKEN:
            return await self._seen_caller(await self._tokens.caller(credential))
        raise Rejected("credential_invalid", "The credential is not valid. Check it, or ask for a new one.")

    def anonymous(self, application: str) -> Caller | None:
        """Who calls an application without a credential; None if it asks for one.

        Such a caller is none of the tenant's users, and good for this application only.
        """
        tenant = self._anonymous.get(application)
        return Caller(tenant, None, frozenset({application})) if tenant is not None else None

    async def anonymous_of_job(self, job_id: str) -> Caller | None:
        """Who looks at a job without a credential: whoever made it without one, which its id proves.

        None if it was made with one, and if there is no such job.
        """
        if not self._anonymous:
            return None
        async with self._database.reading() as reading:
            job = await reading.jobs.get(job_id)
        # an erasure names nobody, and yet somebody with a credential asked for it
        if job is None or job.user_id is not None or job.kind is JobKind.ERASE_USER:
            return None
        scopes = frozenset(application for application, tenant in self._anonymous.items() if tenant == job.tenant)
        return Caller(job.tenant, None, scopes) if scopes else None

    async def _seen_caller(self, caller: Caller) -> Caller:
        if caller.user_id is None:
            return caller
        user = (caller.tenant, caller.user_id)
        if user not in self._seen:
            try:
                async with self._database.transaction() as transaction:
                    await transaction.users.note(*user)
            except Conflict:
                # being erased: such a user may look on, and is noted when they come back
                return caller
            while len(self._seen) >= USERS_REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
            self._seen[user] = None
        return caller
