"""API keys: how they are made, and who is behind a request. Only a key's hash is ever stored."""

import hashlib
import secrets
from uuid import uuid4

from mien_core.errors import Rejected
from mien_core.model.platform import ApiKey, Caller, NewApiKey
from mien_core.ports import Database

PREFIX = "mien_"
ALL_SCOPES = "*"
SCOPES = frozenset({ALL_SCOPES, "glam", "skin"})


def new_api_key(tenant: str, owner: str, scopes: frozenset[str]) -> tuple[NewApiKey, str]:
    """Make a key; the second value is its secret, to be shown once and forgotten.

    Raises:
        Rejected: unknown_scope.
    """
    unknown = scopes - SCOPES
    if unknown:
        raise Rejected("unknown_scope", f"There is no scope {min(unknown)}; there are {sorted(SCOPES)}.")
    secret = PREFIX + secrets.token_urlsafe(32)
    return NewApiKey(str(uuid4()), tenant, owner, scopes, hash_of(secret)), secret


def hash_of(secret: str) -> str:
    """SHA-256 in hex. A plain hash suffices: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def authenticate(database: Database, authorization: str | None) -> Caller:
    """Find out who calls, from an Authorization header: a key as `Bearer …` or raw.

    Raises:
        Rejected: credential_missing or credential_invalid (unknown and revoked are not told apart).
    """
    if authorization is None or not authorization.strip():
        raise Rejected("credential_missing", "Send an API key in the Authorization header: Bearer mien_…")
    scheme, _, rest = authorization.strip().partition(" ")
    secret = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
    key: ApiKey | None = None
    if secret.startswith(PREFIX):
        async with database.reading() as transaction:
            key = await transaction.api_keys.by_hash(hash_of(secret))
    if key is None or key.revoked_at is not None:
        raise Rejected("credential_invalid", "The credential is not valid. Check it, or ask for a new one.")
    return Caller(tenant=key.tenant, user_id=None, scopes=key.scopes)


def require_scope(caller: Caller, scope: str) -> None:
    """Let pass who may use this application.

    Raises:
        Rejected: scope_missing.
    """
    if not caller.scopes & {ALL_SCOPES, scope}:
        raise Rejected("scope_missing", f"The credential doesn't cover {scope}. Ask for a key with that scope.")
