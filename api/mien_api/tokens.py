"""JSON Web Tokens of OIDC issuers: RS256 (RFC 7518) and nothing else, checked against the issuer's published keys."""

import contextlib
import hashlib
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from mien_api.credential_settings import CredentialSettings, IssuerSettings
from mien_api.key_sets import ALGORITHM, fetch_keys
from mien_api.signing_keys import SigningKeys
from mien_core.errors import Rejected
from mien_core.model.platform import Caller

# Tokens have one or two kilobytes; servers end headers at 8 anyway.
MAX_CHARACTERS: Final = 8 * 1024
# a few megabytes
TOKENS_REMEMBERED: Final = 10_000

POINTS_OF_A_TOKEN: Final = 2
_THREE_PARTS: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
# lone surrogates stand for nothing that could be stored
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
# RFC 7519 section 5.1 and RFC 9068 section 2.1; another type is another thing that the same key has signed
_TYPES: Final = frozenset({"jwt", "at+jwt"})
# Cognito's word for what a token is for; refresh tokens, say, are not shown to APIs
_USES: Final = ("access", "id")

_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])
_RS256: Final = RSAAlgorithm(RSAAlgorithm.SHA256)


class Tokens:
    """Says whose a token is. A signature that a key of now has proven isn't computed again.

    Args:
        settings: whose tokens count.
        clock: seconds that only go forward, for the age of issuers' keys.
    """

    def __init__(self, settings: CredentialSettings, clock: Callable[[], float]) -> None:
        self._leeway = settings.leeway_seconds
        # in the order in which they were proven
        self._proven: dict[bytes, _Proven] = {}
        self._issuers = {issuer.url: _Issuer(issuer, _keys_of(issuer, settings, clock)) for issuer in settings.issuers}

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Keep the issuers' keys fresh as long as the block lasts; it begins at once, also if an issuer is away."""
        async with contextlib.AsyncExitStack() as stack:
            for issuer in self._issuers.values():
                await stack.enter_async_context(issuer.keys.kept_fresh())
            yield

    async def caller(self, token: str) -> Caller:
        """Check a token; its caller is one user.

        Raises:
            Rejected: credential_invalid.
            Unavailable: issuer_unavailable, if the issuer's keys must be asked for and it doesn't answer.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        proven = self._proven.get(digest)
        if proven is None or await proven.issuer.keys.find(proven.kid) is not proven.key:
            proven = await self._prove(token)
            self._remember(digest, proven)
        self._check_times(proven.claims)
        return proven.caller

    async def _prove(self, token: str) -> "_Proven":
        """Check what of a token stays as it is; what it says of times is left to be checked."""
        header, claims, signature = _read(token)
        kid = _key_id(header)
        named = claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise _invalid("its issuer is not one of ours")
        key = await issuer.keys.find(kid)
        if key is None:
            raise _invalid("its issuer has no such key")
        # The algorithm is ours, not the header's, so no header can choose another one.
        if not _RS256.verify(token.rpartition(".")[0].encode(), key, signature):
            raise _invalid("its signature is wrong")
        return _Proven(issuer, kid, key, claims, issuer.caller(claims))

    def _remember(self, digest: bytes, proven: "_Proven") -> None:
        self._proven.pop(digest, None)
        while len(self._proven) >= TOKENS_REMEMBERED:
            self._proven.pop(next(iter(self._proven)))
        self._proven[digest] = proven

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = time.time()
        expires_at = _seconds(claims, "exp")
        if expires_at is None:
            raise _invalid("it never expires")
        if now >= expires_at + self._leeway:
            raise _invalid("it has expired")
        begins_at = max(_seconds(claims, name) or -math.inf for name in ("nbf", "iat"))
        if now < begins_at - self._leeway:
            raise _invalid("it is not valid yet")


@dataclass(frozen=True)
class _Issuer:
    settings: IssuerSettings
    keys: SigningKeys

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """The user whom these claims, whose signature is right, speak of."""
        audiences = _audiences(claims)
        if not self.settings.audiences.intersection(audiences):
            raise _invalid("it is meant for another audience")
        if claims.get("token_use", "access") not in _USES:
            raise _invalid("it is neither an access nor an ID token")
        return Caller(self._tenant(claims), _name(claims, "sub"), self.settings.scopes)

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        if self.settings.tenant is not None:
            return self.settings.tenant
        tenant = _name(claims, self.settings.tenant_claim or "")
        if self.settings.tenants is not None and tenant not in self.settings.tenants:
            raise _invalid("its tenant is not one of its issuer's")
        return tenant


@dataclass(frozen=True, slots=True)
class _Proven:
    """That a key signed a token. That stays so; whether the key still counts, and the token's times, are asked anew."""

    issuer: _Issuer
    kid: str
    key: RSAPublicKey
    claims: Mapping[str, Any]
    caller: Caller


def _keys_of(issuer: IssuerSettings, settings: CredentialSettings, clock: Callable[[], float]) -> SigningKeys:
    return SigningKeys(
        issuer.url,
        partial(fetch_keys, issuer),
        refresh_seconds=settings.refresh_seconds,
        keep_seconds=settings.keep_seconds,
        clock=clock,
    )


def _read(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any], bytes]:
    """Header, claims and signature, none of them believed yet."""
    if len(token) > MAX_CHARACTERS or not _THREE_PARTS.fullmatch(token):
        raise _invalid("it is too long or not three parts")
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise _invalid("it can't be read") from error
    if not isinstance(claims, dict):
        raise _invalid("it can't be read")
    return parts["header"], claims, parts["signature"]


def _key_id(header: Mapping[str, Any]) -> str:
    """The id of the key that is said to have signed."""
    kind = header.get("typ", "JWT")
    if header.get("alg") != ALGORITHM:
        raise _invalid(f"it is not signed with {ALGORITHM}")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise _invalid("it is of another type")
    # RFC 7515 section 4.1.11: what we don't know of must not be passed over where it is called critical
    if "crit" in header or "b64" in header:
        raise _invalid("it asks for extensions")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _invalid("it doesn't name its key")
    return kid


def _audiences(claims: Mapping[str, Any]) -> Sequence[str]:
    # Cognito's access tokens have no `aud`; the client is whom they are for
    named = claims.get("aud", claims.get("client_id"))
    listed = named if isinstance(named, list) else [named]
    return [one for one in listed if isinstance(one, str)]


def _name(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _invalid(f"its {claim} is missing or can't be a name")
    return value


def _seconds(claims: Mapping[str, Any], claim: str) -> float | None:
    """A NumericDate (RFC 7519 section 2): seconds since the epoch."""
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise _invalid(f"its {claim} is no time")
    return float(value)


def _invalid(reason: str) -> Rejected:
    return Rejected("credential_invalid", f"The token is not valid: {reason}. Get a new one.")
