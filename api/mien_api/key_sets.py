"""The sets of keys that issuers publish (RFC 7517): where they are, and which keys in them may sign."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mien_api.credential_settings import IssuerSettings, is_trustworthy
from mien_api.issuer_http import get_json
from mien_core.errors import Unavailable

logger = logging.getLogger(__name__)

ALGORITHM: Final = "RS256"
MIN_BITS: Final = 2048
# a check of a signature takes longer with a longer key, and nobody uses longer ones
MAX_BITS: Final = 8192

# Keys by their id. None marks one that is published and must not be used, so that nobody goes looking for it.
KeySet = Mapping[str, RSAPublicKey | None]


async def fetch_keys(issuer: IssuerSettings) -> KeySet:
    """Fetch the issuer's keys from where the settings, its discovery document or custom say that they are.

    Raises:
        Unavailable: issuer_unavailable, also if what it publishes can't be used.
    """
    url = issuer.jwks_url or await _discovered(issuer)
    keys = read_key_set(await get_json(url))
    if not any(keys.values()):
        raise Unavailable("issuer_unavailable", f"{url} has no RSA key of {MIN_BITS} bits or more for {ALGORITHM}.")
    return keys


def read_key_set(document: Any) -> KeySet:
    """The RSA keys with an id that are meant for signatures; what else there is, is passed over."""
    entries = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, RSAPublicKey | None] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and _is_meant_for_signatures(entry):
            found.setdefault(entry["kid"], _usable(entry))
    return found


async def _discovered(issuer: IssuerSettings) -> str:
    # OpenID Connect Discovery 1.0, section 4: the document must name the issuer itself
    base = issuer.url.rstrip("/")
    document = await get_json(f"{base}/.well-known/openid-configuration")
    if document is None:
        return f"{base}/.well-known/jwks.json"
    url = document.get("jwks_uri") if isinstance(document, dict) and document.get("issuer") == issuer.url else None
    weaker = isinstance(url, str) and url.startswith("http:") and issuer.url.startswith("https:")
    if not isinstance(url, str) or not is_trustworthy(url) or weaker:
        detail = f"The discovery document of {issuer.url} names another issuer, or no address of keys to be trusted."
        raise Unavailable("issuer_unavailable", detail)
    return url


def _is_meant_for_signatures(entry: Mapping[str, Any]) -> bool:
    return entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", ALGORITHM) == ALGORITHM


def _usable(entry: dict[str, Any]) -> RSAPublicKey | None:
    try:
        key = jwt.PyJWK(entry, ALGORITHM).key
    except jwt.PyJWTError:
        key = None
    if isinstance(key, RSAPublicKey) and MIN_BITS <= key.key_size <= MAX_BITS:
        return key
    logger.warning("A published key is not used: it is no public RSA key of %d to %d bits", MIN_BITS, MAX_BITS)
    return None
