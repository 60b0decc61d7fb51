"""Where pictures lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mien_core.model.objects import ObjectPage


@dataclass(frozen=True)
class PresignedPut:
    """A URL that takes one object of the signed type and length until it expires; send the headers as given."""

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

    async def presign_gets(self, keys: Sequence[str], expires_seconds: int) -> list[str]:
        """Sign downloads of several objects, as presign_get does; in their order."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""

    async def copy(self, source: str, target: str) -> None:
        """Write target with the bytes and type of source, which don't pass through here; an existing one is replaced.

        Raises:
            Missing: object_not_found, when there is no source.
        """

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""

    async def list(self, prefix: str) -> Sequence[str]:
        """The keys that begin with the prefix, in order; for prefixes that few do."""

    async def page(self, prefix: str, after: str, limit: int = 1000) -> ObjectPage:
        """Some objects whose keys begin with the prefix and come after a key ("" for the first), in order.

        Also those of which older versions alone are left. At most limit, which is at least 2, and perhaps fewer though
        there are more.
        """

    async def erase_objects(self, keys: Sequence[str]) -> None:
        """Delete these objects, with all their versions; deleting what isn't there is no error."""

    async def erase(self, prefix: str) -> int:
        """Delete whatever has a key that begins with the prefix, with all its versions, until nothing is found.

        Returns:
            How many objects and versions there were.
        """

    async def check(self) -> None:
        """Prove that the bucket can be reached."""
