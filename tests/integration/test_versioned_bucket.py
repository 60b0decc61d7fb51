"""Erasure in a bucket that keeps versions: what was replaced or deleted before goes as well."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from pydantic import SecretStr

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.model.objects import StoredObject
from mien_core.settings import S3Settings
from mien_local.golang.build import build
from mien_local.parts.part import Server, Stage
from mien_local.parts.s3 import create_bucket
from mien_local.parts.versitygw import VERSITYGW
from tests.parts import stage

SECRET = "secret-of-a-test"  # noqa: S105 - a server's of its own


@pytest.fixture(scope="module")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    """A server of its own, whose bucket keeps every version."""
    folder = tmp_path_factory.mktemp("versioned")
    with ThreadPoolExecutor(1) as thread:
        server, settings = thread.submit(_started, stage(folder / "home"), folder).result()
        try:
            yield settings
        finally:
            thread.submit(server.stop).result()


def _started(on: Stage, folder: Path) -> tuple[Server, S3Settings]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = S3Settings(
        endpoint=f"http://127.0.0.1:{port}",
        bucket="versioned",
        access_key_id=SecretStr("mien"),
        secret_access_key=SecretStr(SECRET),
    )
    folders = {name: folder / name for name in ("objects", "versions", "metadata")}
    for each in folders.values():
        each.mkdir()
    server = Server(on, "versioned-s3")
    command: list[str | Path] = [
        "posix",
        "--sidecar",
        folders["metadata"],
        "--versioning-dir",
        folders["versions"],
        folders["objects"],
    ]
    server.start(
        [build(VERSITYGW, on, "s3"), "--port", f"127.0.0.1:{port}", "--region", settings.region, "--quiet", *command],
        {"ROOT_ACCESS_KEY_ID": "mien", "ROOT_SECRET_ACCESS_KEY": SECRET},
    )

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    server.wait(answers, 30.0)
    create_bucket(settings)
    _client(settings).put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration={"Status": "Enabled"})
    return server, settings


def _client(settings: S3Settings):  # type: ignore[no-untyped-def]  # noqa: ANN202 - boto3 makes its classes at run time
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id="mien",
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )


async def test_no_version_is_left(versioned: S3Settings) -> None:
    """Neither what was written over, nor what was deleted, nor the marks that it was; others' versions stay."""
    store, client = S3ObjectStore(versioned), _client(versioned)
    for body in (b"first", b"second"):
        await store.put("uploads/a/photo", body, "image/png")
        await store.put("uploads/b/photo", body, "image/png")
    await store.put("uploads/a/original", b"sent", "image/png")
    await store.delete("uploads/a/original")

    def versions(prefix: str) -> int:
        page = client.list_object_versions(Bucket=versioned.bucket, Prefix=prefix)
        return len(page.get("Versions", ())) + len(page.get("DeleteMarkers", ()))

    assert versions("uploads/a/") == 4
    assert await store.erase("uploads/a/") == 4
    assert versions("uploads/a/") == 0
    assert versions("uploads/b/") == 2
    await store.close()


async def test_single_objects_go_with_their_versions(versioned: S3Settings) -> None:
    """A walk finds what is only left in older versions, once and with all sizes; only the named ones go, but wholly."""
    store, client = S3ObjectStore(versioned), _client(versioned)
    for key in ("uploads/c/photo", "uploads/c/photo-2", "uploads/d/photo"):
        for body in (b"first", b"second"):
            await store.put(key, body, "image/png")
    await store.delete("uploads/c/photo")
    page = await store.page("uploads/c/", "")
    assert (page.objects, page.is_last) == (
        (StoredObject("uploads/c/photo", 11), StoredObject("uploads/c/photo-2", 11)),
        True,
    )
    # fewer than the versions of one object
    assert (await store.page("uploads/c/", "", 2)).objects == (StoredObject("uploads/c/photo", 11),)
    await store.erase_objects(["uploads/c/photo", "uploads/d/photo"])
    left = client.list_object_versions(Bucket=versioned.bucket, Prefix="uploads/")
    assert {one["Key"] for one in left["Versions"] if one["Key"][8] in "cd"} == {"uploads/c/photo-2"}
    assert not left.get("DeleteMarkers")
    await store.close()
