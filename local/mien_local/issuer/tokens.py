"""Tokens of the development issuer, shaped as Amazon Cognito's access tokens with a tenant."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt

from mien_local.issuer.keys import SigningKey

AUDIENCE = "mien-development"
TENANT_CLAIM = "custom:tenant"
HOUR = 3600


def new_token(key: SigningKey, issuer: str, user: str, tenant: str, seconds: int = HOUR, **claims: Any) -> str:
    """Sign a token.

    Args:
        key: one that the issuer publishes.
        issuer: its URL.
        user: whom it speaks of.
        tenant: to which the user belongs.
        seconds: from now until it expires; may be negative.
        claims: more of them, or others than usual; those that are None are left out.
    """
    now = int(time.time())
    usual: Mapping[str, Any] = {
        "iss": issuer,
        "sub": user,
        "client_id": AUDIENCE,
        "token_use": "access",
        TENANT_CLAIM: tenant,
        "iat": now,
        "exp": now + seconds,
        "jti": str(uuid4()),
    }
    said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(said, key.private, algorithm="RS256", headers={"kid": key.kid})
