"""What every object store promises, held against a real S3 server and against the one in memory."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import MienError, Missing, Unavailable
from mien_core.model.objects import StoredObject
from mien_core.ports.objects import ObjectFacts, ObjectStore, PresignedPut
from mien_core.settings import S3Settings


@dataclass(frozen=True)
class Answer:
    """What a browser sees of a presigned request."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Bench:
    """A store, the way browsers come to it, how to let time pass for it, and one like it that can't be reached."""

    store: ObjectStore
    browse: Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answer]]
    let_pass: Callable[[float], Awaitable[None]]
    away: ObjectStore


@pytest.fixture(scope="module", params=["memory", "s3"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield memory_bench()
        return
    settings: S3Settings = request.getfixturevalue("s3_server")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused while it is held
        away = S3ObjectStore(settings.model_copy(update={"endpoint": f"http://127.0.0.1:{unused.getsockname()[1]}"}))
        store = S3ObjectStore(settings)
        async with httpx.AsyncClient() as client:

            async def browse(url: str, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
                response = await client.request(method, url, headers=dict(headers), content=body)
                return Answer(response.status_code, response.content)

            yield Bench(store, browse, asyncio.sleep, away)
        await store.close()
        await away.close()


def memory_bench() -> Bench:
    now = time.time()

    async def let_pass(seconds: float) -> None:
        nonlocal now
        now += seconds

    store = MemoryObjectStore(clock=lambda: now)
    away = MemoryObjectStore()
    away.go_away()

    async def browse(url: str, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = await store.accept(url, method, headers, body)
        return Answer(answer.status, answer.body)

    return Bench(store, browse, let_pass, away)


@pytest.fixture
def key() -> str:
    return f"uploads/{uuid4()}/original"


async def upload(bench: Bench, put: PresignedPut, body: bytes, **changed: str) -> int:
    headers = {**put.headers, "Content-Length": str(len(body)), **changed}
    return (await bench.browse(put.url, put.method, headers, body)).status


async def test_what_was_put_is_read_back(bench: Bench, key: str) -> None:
    """An object is read back whole, with its size and type; an existing one is replaced."""
    await bench.store.put(key, b"first", "image/png")
    await bench.store.put(key, b"\x00second\xff", "image/jpeg")
    assert await bench.store.get(key) == b"\x00second\xff"
    assert await bench.store.head(key) == ObjectFacts(size=8, content_type="image/jpeg")


async def test_a_missing_object_is_missing(bench: Bench, key: str) -> None:
    """Reading what isn't there is Missing, its facts are None, deleting it is no error."""
    with pytest.raises(Missing, match="object_not_found"):
        await bench.store.get(key)
    assert await bench.store.head(key) is None
    await bench.store.delete(key)


async def test_deleted_is_gone(bench: Bench, key: str) -> None:
    """A deleted object can't be read any more."""
    await bench.store.put(key, b"short-lived", "text/plain")
    await bench.store.delete(key)
    assert await bench.store.head(key) is None


async def test_what_lies_under_a_prefix_is_listed_and_erased(bench: Bench, key: str) -> None:
    """All keys that begin with it, in order, and no other's; a second time there is nothing, and that is no error."""
    folder = key.removesuffix("original")
    keys = [f"{folder}masks/a.png", f"{folder}original", f"{folder}photo"]
    neighbour = f"{folder.removesuffix('/')}-2/photo"
    for one in [*keys, neighbour]:
        await bench.store.put(one, b"x", "image/png")
    assert list(await bench.store.list(folder)) == keys
    assert list(await bench.store.list(folder.removesuffix("/"))) == [neighbour, *keys]
    assert await bench.store.erase(folder) == 3
    assert list(await bench.store.list(folder)) == []
    assert await bench.store.erase(folder) == 0
    assert await bench.store.get(neighbour) == b"x"


async def test_a_walk_finds_each_object_once(bench: Bench, key: str) -> None:
    """In the order of their keys, with their sizes, and from any key on; nothing under another prefix."""
    folder = key.removesuffix("original")
    keys = [f"{folder}{number:04d}" for number in range(7)]
    for one in keys:
        await bench.store.put(one, b"12345", "image/png")
    await bench.store.put(f"{folder.removesuffix('/')}-2/photo", b"x", "image/png")
    pages = [await bench.store.page(folder, "", 3)]
    while not pages[-1].is_last:
        pages.append(await bench.store.page(folder, pages[-1].objects[-1].key, 3))
    assert [one for page in pages for one in page.objects] == [StoredObject(one, 5) for one in keys]
    assert all(len(page.objects) <= 3 for page in pages)
    assert (await bench.store.page(folder, keys[-2])).objects == (StoredObject(keys[-1], 5),)
    assert (await bench.store.page(folder, keys[-1])).objects == ()
    await bench.store.erase_objects([*keys[:-1], f"{folder}never-there"])
    assert list(await bench.store.list(folder)) == [keys[-1]]
    await bench.store.erase_objects([])


async def test_a_copy_stands_on_its_own(bench: Bench, key: str) -> None:
    """A copy has the bytes and the type of its source, replaces what was there, and stays when the source goes."""
    copied = key.replace("/original", "/copies/a copy+1.png")
    await bench.store.put(copied, b"was here before", "text/plain")
    await bench.store.put(key, b"\x00picture\xff", "image/png")
    await bench.store.copy(key, copied)
    await bench.store.delete(key)
    assert await bench.store.get(copied) == b"\x00picture\xff"
    assert await bench.store.head(copied) == ObjectFacts(size=9, content_type="image/png")


async def test_a_copy_of_nothing_is_missing(bench: Bench, key: str) -> None:
    """What isn't there can't be copied, and nothing is written."""
    with pytest.raises(Missing, match="object_not_found"):
        await bench.store.copy(key, f"{key}-copy")
    assert await bench.store.head(f"{key}-copy") is None


async def test_many_at_once(bench: Bench, key: str) -> None:
    """Sixty-four writers and readers at once don't disturb each other."""
    names = [f"{key}/{number}" for number in range(64)]
    await asyncio.gather(*(bench.store.put(name, name.encode(), "text/plain") for name in names))
    assert await asyncio.gather(*(bench.store.get(name) for name in names)) == [name.encode() for name in names]


async def test_a_presigned_upload_is_accepted(bench: Bench, key: str) -> None:
    """A browser that sends exactly what was signed writes the object."""
    put = await bench.store.presign_put(key, "image/jpeg", 11, 60)
    assert put.method == "PUT"
    assert put.headers == {"Content-Type": "image/jpeg", "Content-Length": "11"}
    assert await upload(bench, put, b"eleven byte") == 200
    assert await bench.store.get(key) == b"eleven byte"
    assert await bench.store.head(key) == ObjectFacts(size=11, content_type="image/jpeg")


@pytest.mark.parametrize("body", [b"ten bytes.", b"twelve bytes"])
async def test_another_length_is_refused(bench: Bench, key: str, body: bytes) -> None:
    """The signature covers the length: a shorter or longer body is refused, and nothing is written."""
    put = await bench.store.presign_put(key, "image/jpeg", 11, 60)
    assert await upload(bench, put, body) == 403
    assert await bench.store.head(key) is None


async def test_another_type_is_refused(bench: Bench, key: str) -> None:
    """The signature covers the type: an upload under another one is refused, and nothing is written."""
    put = await bench.store.presign_put(key, "image/jpeg", 11, 60)
    assert await upload(bench, put, b"eleven byte", **{"Content-Type": "text/html"}) == 403
    assert await bench.store.head(key) is None


async def test_another_key_is_refused(bench: Bench, key: str) -> None:
    """The signature covers the key: nobody writes beside the place that was signed."""
    put = await bench.store.presign_put(key, "image/jpeg", 11, 60)
    elsewhere = PresignedPut(put.url.replace("/original", "/photo"), put.method, put.headers)
    assert await upload(bench, elsewhere, b"eleven byte") == 403


async def test_an_expired_upload_is_refused(bench: Bench, key: str) -> None:
    """After its expiry a presigned upload is refused."""
    put = await bench.store.presign_put(key, "image/jpeg", 11, 1)
    async with asyncio.timeout(60):
        while (status := await upload(bench, put, b"eleven byte")) == 200:
            await bench.let_pass(0.25)
    assert status == 403


async def test_a_presigned_download(bench: Bench, key: str) -> None:
    """A presigned download gives the object, only for reading; without a signature nobody gets it."""
    await bench.store.put(key, b"the picture", "image/png")
    url = await bench.store.presign_get(key, 60)
    assert await bench.browse(url, "GET", {}, b"") == Answer(200, b"the picture")
    assert (await bench.browse(url.split("?")[0], "GET", {}, b"")).status == 403
    forged = await bench.browse(url, "PUT", {"Content-Type": "image/png", "Content-Length": "6"}, b"forged")
    assert forged.status == 403
    assert await bench.store.get(key) == b"the picture"


async def test_presigned_downloads_come_in_their_order(bench: Bench, key: str) -> None:
    """Each of several URLs that were signed at once gives its own object; none asked for are none."""
    keys = [f"{key}-{number}" for number in range(3)]
    for one in keys:
        await bench.store.put(one, one.encode(), "text/plain")
    urls = await bench.store.presign_gets([*keys, f"{key}-missing"], 60)
    answers = [await bench.browse(url, "GET", {}, b"") for url in urls]
    assert answers[:3] == [Answer(200, one.encode()) for one in keys]
    assert answers[3].status == 404
    assert await bench.store.presign_gets([], 60) == []


async def test_a_download_of_nothing_is_not_found(bench: Bench, key: str) -> None:
    """A signature doesn't make an object: a download of what isn't there is 404."""
    assert (await bench.browse(await bench.store.presign_get(key, 60), "GET", {}, b"")).status == 404


async def test_the_store_can_be_checked(bench: Bench) -> None:
    """A store that can be reached passes its check."""
    await bench.store.check()


@pytest.mark.parametrize("method", ["put", "get", "head", "copy", "delete", "page", "erase_objects", "check"])
async def test_an_unreachable_store_is_unavailable(bench: Bench, key: str, method: str) -> None:
    """Every call to a store that can't be reached is Unavailable, so that callers retry."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "put": lambda: bench.away.put(key, b"x", "text/plain"),
        "get": lambda: bench.away.get(key),
        "head": lambda: bench.away.head(key),
        "copy": lambda: bench.away.copy(key, f"{key}-copy"),
        "delete": lambda: bench.away.delete(key),
        "list": lambda: bench.away.list(key),
        "erase": lambda: bench.away.erase(key),
        "page": lambda: bench.away.page(key, ""),
        "erase_objects": lambda: bench.away.erase_objects([key]),
        "check": bench.away.check,
    }
    with pytest.raises(Unavailable, match="object_store_unavailable"):
        await calls[method]()


async def test_presigned_urls_carry_the_public_endpoint(s3_server: S3Settings, key: str) -> None:
    """Browsers get the address that they can reach; type and length are among the signed headers."""
    async with settled(s3_server, public_endpoint="https://photos.example.com") as store:
        put = await store.presign_put(key, "image/jpeg", 11, 60)
        assert put.url.startswith(f"https://photos.example.com/{s3_server.bucket}/uploads/")
        query = parse_qs(urlsplit(put.url).query)
        assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host"]
        assert (await store.presign_get(key, 60)).startswith("https://photos.example.com/")
        await store.check()


async def test_without_an_endpoint_it_is_amazons(s3_server: S3Settings, key: str) -> None:
    """No endpoint means AWS: URLs carry the bucket in the host's name, as AWS wants new buckets addressed."""
    async with settled(s3_server, endpoint=None, public_endpoint=None, region="eu-west-1") as store:
        assert (await store.presign_get(key, 60)).startswith(f"https://{s3_server.bucket}.s3.eu-west-1.amazonaws.com/")
        put = await store.presign_put(key, "image/jpeg", 11, 60)
        assert urlsplit(put.url).netloc.startswith(f"{s3_server.bucket}.s3.")


async def test_a_missing_bucket_is_unavailable(s3_server: S3Settings, key: str) -> None:
    """A bucket that doesn't exist is a fault of the platform, never mistaken for a missing object."""
    async with settled(s3_server, bucket="no-such-bucket") as store:
        for call in (
            store.check,
            lambda: store.get(key),
            lambda: store.head(key),
            lambda: store.put(key, b"x", "text/plain"),
            lambda: store.delete(key),
        ):
            with pytest.raises(Unavailable, match="object_store_unavailable"):
                await call()


async def test_wrong_credentials_are_unavailable(s3_server: S3Settings, key: str) -> None:
    """Credentials that are refused may be rotated in a minute: work is retried, not failed for good."""
    async with settled(s3_server, access_key_id="somebody-else") as store:
        with pytest.raises(Unavailable, match="refuses these credentials"):
            await store.put(key, b"x", "text/plain")


async def test_no_credentials_are_unavailable(
    s3_server: S3Settings, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that nobody gave credentials says so, instead of asking without."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    async with settled(s3_server, access_key_id=None, secret_access_key=None) as store:
        for call in (lambda: store.get(key), lambda: store.presign_get(key, 60), store.check):
            with pytest.raises(Unavailable, match="got no credentials"):
                await call()


async def test_credentials_of_the_environment_are_used(
    s3_server: S3Settings, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keys in mien's settings those of AWS's own chain apply, for reading, writing and signing alike."""
    assert s3_server.access_key_id
    assert s3_server.secret_access_key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key_id.get_secret_value())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_access_key.get_secret_value())
    async with settled(s3_server, access_key_id=None, secret_access_key=None) as store:
        await store.put(key, b"x", "text/plain")
        assert await store.get(key) == b"x"
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(await store.presign_get(key, 60))).content == b"x"


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (503, "SlowDown", "is busy or failing (SlowDown)"),
        (500, "InternalError", "is busy or failing"),
        (403, "RequestTimeTooSkewed", "is busy or failing"),
        (403, "AccessDenied", "refuses these credentials (AccessDenied)"),
        (404, "NoSuchBucket", "has no such bucket"),
    ],
)
async def test_a_store_in_trouble_is_unavailable(
    s3_server: S3Settings, key: str, status: int, code: str, said: str
) -> None:
    """Whatever a store answers that may be over in a minute is Unavailable, and says what it was."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with settled(s3_server, endpoint=f"http://127.0.0.1:{port}") as store:
            with pytest.raises(Unavailable, match=re.escape(said)):
                await store.get(key)


async def test_what_nobody_expects_stays_a_bug(s3_server: S3Settings) -> None:
    """An answer that no retry can mend isn't dressed up as an outage: a key longer than S3 takes is a bug of ours."""
    async with settled(s3_server) as store:
        with pytest.raises(Exception, match=r"KeyTooLong|too long") as caught:
            await store.put("k" * 2000, b"x", "text/plain")
        assert not isinstance(caught.value, MienError)


@contextlib.asynccontextmanager
async def settled(settings: S3Settings, **changed: str | None) -> AsyncIterator[S3ObjectStore]:
    values = settings.model_dump() | changed
    store = S3ObjectStore(S3Settings.model_validate(values))
    try:
        yield store
    finally:
        await store.close()
