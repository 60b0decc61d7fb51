"""API keys: how they are made, and whose one is. Only a key's hash is ever stored."""

import hashlib
import secrets
from uuid import uuid4

from mien_api.scopes import check_scopes
from mien_core.errors import Rejected
from mien_core.model.platform import Caller, NewApiKey
from mien_core.ports.database import Database

PREFIX = "mien_"


def new_api_key(tenant: str, owner: str, scopes: frozenset[str]) -> tuple[NewApiKey, str]:
    """Make a key; the second value is its secret, to be shown once and forgotten.

    Raises:
        Rejected: unknown_scope.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    return NewApiKey(str(uuid4()), tenant, owner, check_scopes(scopes), hash_of(secret)), secret


def hash_of(secret: str) -> str:
    """SHA-256 in hex. A plain hash suffices: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def caller_of_hash(database: Database, secret_hash: str) -> Caller:
    """Find out whose key has this hash; its caller speaks for the whole tenant.

    Raises:
        Rejected: credential_invalid (unknown and revoked are not told apart).
    """
    async with database.reading() as transaction:
        key = await transaction.api_keys.by_hash(secret_hash)
    if key is None or key.revoked_at is not None:
        raise Rejected("credential_invalid", "The credential is not valid. Check it, or ask for a new one.")
    return Caller(tenant=key.tenant, user_id=None, scopes=key.scopes)
