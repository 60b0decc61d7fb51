"""An object store in memory, for tests and notebooks; what it promises is checked by the same suite as S3."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from mien_core.errors import Missing, Unavailable
from mien_core.model.objects import ObjectPage, StoredObject
from mien_core.ports.objects import ObjectFacts, PresignedPut


@dataclass(frozen=True)
class DoorAnswer:
    """What the store answers to a presigned request: an HTTP status, and the body of a download."""

    status: int
    body: bytes = b""


@dataclass(frozen=True)
class _Object:
    data: bytes
    content_type: str


class MemoryObjectStore:
    """A bucket in memory; meets mien_core.ports.objects.ObjectStore.

    Args:
        clock: seconds since the epoch; a test passes its own to let URLs expire.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._objects: dict[str, _Object] = {}
        self._secret = secrets.token_bytes(32)
        self._clock = clock
        self._away = False

    def go_away(self) -> None:
        """From now on, every call finds the store unreachable."""
        self._away = True

    def come_back(self) -> None:
        """End what go_away began."""
        self._away = False

    def keys(self) -> frozenset[str]:
        """All objects' keys."""
        return frozenset(self._objects)

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        """Sign an upload of exactly this type and length; accept refuses any other."""
        headers = {"Content-Type": content_type, "Content-Length": str(content_length)}
        return PresignedPut(self._sign("PUT", key, headers, expires_seconds), "PUT", headers)

    async def presign_get(self, key: str, expires_seconds: int) -> str:
        """Sign a download; accept answers it."""
        return self._sign("GET", key, {}, expires_seconds)

    async def presign_gets(self, keys: Sequence[str], expires_seconds: int) -> list[str]:
        """See ports.objects.ObjectStore."""
        return [await self.presign_get(key, expires_seconds) for key in keys]

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""
        self._reach()
        self._objects[key] = _Object(bytes(data), content_type)

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """
        self._reach()
        try:
            return self._objects[key].data
        except KeyError:
            raise Missing(
                "object_not_found", "There is no such object; it was never written, or has expired."
            ) from None

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""
        self._reach()
        found = self._objects.get(key)
        return None if found is None else ObjectFacts(len(found.data), found.content_type)

    async def copy(self, source: str, target: str) -> None:
        """Write target with the bytes and type of source.

        Raises:
            Missing: object_not_found, when there is no source.
        """
        data = await self.get(source)
        self._objects[target] = _Object(data, self._objects[source].content_type)

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""
        self._reach()
        self._objects.pop(key, None)

    async def list(self, prefix: str) -> Sequence[str]:
        """The keys that begin with the prefix, in order."""
        self._reach()
        return sorted(key for key in self._objects if key.startswith(prefix))

    async def page(self, prefix: str, after: str, limit: int = 1000) -> ObjectPage:
        """Some objects whose keys begin with the prefix and come after a key, in order."""
        keys = [key for key in await self.list(prefix) if key > after]
        found = tuple(StoredObject(key, len(self._objects[key].data)) for key in keys[:limit])
        return ObjectPage(found, is_last=len(keys) <= limit)

    async def erase_objects(self, keys: Sequence[str]) -> None:
        """Delete these objects."""
        self._reach()
        for key in keys:
            self._objects.pop(key, None)

    async def erase(self, prefix: str) -> int:
        """Delete whatever has a key that begins with the prefix; there are no other versions."""
        keys = await self.list(prefix)
        for key in keys:
            del self._objects[key]
        return len(keys)

    async def check(self) -> None:
        """Prove that the bucket can be reached."""
        self._reach()

    async def accept(self, url: str, method: str, headers: Mapping[str, str], body: bytes = b"") -> DoorAnswer:
        """The store's own door, where a browser brings or fetches an object with a presigned URL.

        Answers 200, 403 (wrong signature, expired, another type or length than was signed) or 404, as S3 does.
        """
        self._reach()
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        key = unquote(parts.path.removeprefix("/"))
        given = {name.title(): value for name, value in headers.items()}
        signed = {name: given.get(name, "") for name in query.get("signed", "").split(",") if name}
        expires = int(query.get("expires", "0"))
        signature = self._signature(method, key, signed, expires)
        if not hmac.compare_digest(signature, query.get("signature", "")) or self._clock() >= expires:
            return DoorAnswer(403)
        if method == "PUT":
            if str(len(body)) != given["Content-Length"]:
                return DoorAnswer(403)
            self._objects[key] = _Object(bytes(body), given["Content-Type"])
            return DoorAnswer(200)
        found = self._objects.get(key)
        return DoorAnswer(404) if found is None else DoorAnswer(200, found.data)

    def _sign(self, method: str, key: str, headers: Mapping[str, str], expires_seconds: int) -> str:
        expires = int(self._clock()) + expires_seconds
        query = {
            "expires": str(expires),
            "signed": ",".join(headers),
            "signature": self._signature(method, key, headers, expires),
        }
        return f"memory://bucket/{quote(key)}?{urlencode(query)}"

    def _signature(self, method: str, key: str, headers: Mapping[str, str], expires: int) -> str:
        text = "\n".join([method, key, str(expires), *(f"{name}:{value}" for name, value in headers.items())])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def _reach(self) -> None:
        if self._away:
            raise Unavailable("object_store_unavailable", "The object store can't be reached; try again later.")
