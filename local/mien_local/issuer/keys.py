"""Keys that sign tokens, and how they are published."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from mien_local.home import write_private

BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    """An RSA key."""

    private: RSAPrivateKey

    @property
    def kid(self) -> str:
        """Its id: the thumbprint of its public half (RFC 7638), so that it can't be another key's."""
        members = {"e": self._numbers[0], "kty": "RSA", "n": self._numbers[1]}
        return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())

    @property
    def published(self) -> Mapping[str, str]:
        """Its public half as a JSON Web Key (RFC 7517)."""
        exponent, modulus = self._numbers
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "e": exponent, "n": modulus}

    @property
    def _numbers(self) -> tuple[str, str]:
        public = self.private.public_key().public_numbers()
        exponent, modulus = (
            _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (public.e, public.n)
        )
        return exponent, modulus


def new_key(bits: int = BITS) -> SigningKey:
    """Make a key."""
    return SigningKey(generate_private_key(public_exponent=65537, key_size=bits))


def kept_key(path: Path) -> SigningKey:
    """The key in this file; it is made the first time, for its owner's eyes only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        encoded = new_key().private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, encoded.decode())
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key; remove it to have one made.")
    return SigningKey(private)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
