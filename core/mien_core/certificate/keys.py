"""The keys that certificates are signed with: Ed25519 (RFC 8032), written as 64 hexadecimal digits."""

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mien_core.errors import Rejected

_BYTES: Final = 32


class PublicKey:
    """What a certificate is verified with.

    Args:
        text: the key, in hex.

    Raises:
        Rejected: malformed_key.
    """

    def __init__(self, text: str) -> None:
        self._raw = _raw(text)
        self._key = Ed25519PublicKey.from_public_bytes(self._raw)

    def __str__(self) -> str:
        return self._raw.hex()

    @property
    def id(self) -> str:
        """What a certificate calls the key: the first 64 bits of its SHA-256."""
        return sha256(self._raw).hexdigest()[:16]

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's over this message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """What a certificate is signed with.

    Args:
        text: the key, in hex: 32 random bytes.

    Raises:
        Rejected: malformed_key.
    """

    def __init__(self, text: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_raw(text))

    @classmethod
    def new(cls) -> "SigningKey":
        """Make one that nobody else has."""
        key = Ed25519PrivateKey.generate()
        return cls(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex())

    @property
    def secret(self) -> str:
        """The key itself, to be kept where secrets are."""
        return self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()

    @property
    def public(self) -> PublicKey:
        """The other half, to be given to everybody."""
        return PublicKey(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex())

    def sign(self, message: bytes) -> bytes:
        """Sign a message; the same message has the same signature."""
        return self._key.sign(message)


def _raw(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != _BYTES:
        detail = "A key has 64 hexadecimal digits; `python -m mien_core.certificate keys new` makes one."
        raise Rejected("malformed_key", detail)
    return raw
