"""What the inside needs from the outside, as protocols. adapters/ meets them; contract tests hold each to one suite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PresignedPut:
    """A URL that accepts one object, once, of exactly the signed type and length; headers must be sent as given."""

    url: str
    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class ObjectFacts:
    """What the store knows of an object without reading it; size in bytes."""

    size: int
    content_type: str


class ObjectStore(Protocol):
    """A bucket. Every method raises Unavailable (code object_store_unavailable) when the store can't be reached."""

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        """Sign an upload; no round trip."""

    async def presign_get(self, key: str, expires_seconds: int) -> str:
        """Sign a download; no round trip."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""

    async def check(self) -> None:
        """Prove that the bucket can be reached."""
