"""The object store on S3 or anything that speaks its protocol."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypedDict

import boto3
import obstore
import obstore.exceptions
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as EndpointError
from obstore.store import S3Store

from mien_core.adapters.s3_errors import of_boto3, of_obstore, unavailable
from mien_core.errors import Missing, Unavailable
from mien_core.faults import Point, reached
from mien_core.model.objects import ObjectPage, StoredObject
from mien_core.ports.objects import ObjectFacts, PresignedPut
from mien_core.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

_CONNECT_SECONDS: Final = 3
# One whole request; photos have at most 10 MB.
_REQUEST_SECONDS: Final = 15
_ATTEMPTS: Final = 3
# How long credentials of boto3's chain are used before it is asked again; it renews what expires by itself.
_CREDENTIALS_LAST: Final = timedelta(minutes=5)
_SIGNING_THREADS: Final = 4
# in one request; S3's own limit
_MOST_DELETED: Final = 1000


class _From(TypedDict, total=False):
    """Where a list of versions begins; S3 refuses an empty marker."""

    KeyMarker: str
    VersionIdMarker: str


# more at once go to another thread
_SIGNED_HERE: Final = 8


class S3ObjectStore:
    """A bucket in S3; meets mien_core.ports.objects.ObjectStore.

    obstore moves the bytes: its requests cost a third of boto3's and no thread. boto3 does what obstore can't: it signs
    uploads with their type and length, and it finds credentials wherever AWS puts them. The clients are made once.

    Args:
        settings: where the bucket is; with `public_endpoint`, presigned URLs carry that address instead.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._has_keys = None not in _keys(settings)
        self._store = _store(settings, settings.endpoint)
        self._client = _client(settings, settings.endpoint)
        public = settings.public_endpoint
        if public in {None, settings.endpoint}:
            self._public_store, self._signer = self._store, self._client
        else:
            self._public_store, self._signer = _store(settings, public), _client(settings, public)
        # boto3 blocks: on its first credentials, and on renewing them.
        self._threads = ThreadPoolExecutor(_SIGNING_THREADS, thread_name_prefix="s3")

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        """Sign an upload of exactly this type and length; the store refuses any other."""
        parameters = {
            "Bucket": self._bucket,
            "Key": key,
            "ContentType": content_type,
            "ContentLength": content_length,
        }
        loop = asyncio.get_running_loop()
        url = await loop.run_in_executor(self._threads, self._sign_put, parameters, expires_seconds)
        return PresignedPut(url, "PUT", {"Content-Type": content_type, "Content-Length": str(content_length)})

    async def presign_get(self, key: str, expires_seconds: int) -> str:
        """Sign a download; no round trip."""
        [url] = await self.presign_gets([key], expires_seconds)
        return url

    async def presign_gets(self, keys: Sequence[str], expires_seconds: int) -> list[str]:
        """Sign downloads by one call, and where nobody is asked for credentials without one to another thread.

        Signing takes 8 us; going there and back takes 140, and holds up nobody.
        """
        lifetime = timedelta(seconds=expires_seconds)
        with _obstore_errors():
            if self._has_keys and len(keys) <= _SIGNED_HERE:
                return list(obstore.sign(self._public_store, "GET", list(keys), lifetime))
            return list(await obstore.sign_async(self._public_store, "GET", list(keys), lifetime))

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""
        reached(Point.OBJECT_PUTTING)
        with _obstore_errors():
            await obstore.put_async(
                self._store, key, data, attributes={"Content-Type": content_type}, use_multipart=False
            )
        reached(Point.OBJECT_PUT)

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """
        with _obstore_errors():
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""
        try:
            with _obstore_errors():
                # obstore's own head leaves out the type
                result = await obstore.get_async(self._store, key, options={"head": True})
        except Missing:
            # A HEAD has no body that could say whether the key or the whole bucket is away.
            await self.check()
            return None
        return ObjectFacts(result.meta["size"], result.attributes["Content-Type"])

    async def copy(self, source: str, target: str) -> None:
        """Have the store itself write target with the bytes and type of source.

        Raises:
            Missing: object_not_found, when there is no source.
        """
        with _obstore_errors():
            await obstore.copy_async(self._store, source, target)
        reached(Point.OBJECT_COPIED)

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""
        with _obstore_errors():
            await obstore.delete_async(self._store, key)

    async def list(self, prefix: str) -> Sequence[str]:
        """The keys that begin with the prefix, in order; for prefixes that few do."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._list, prefix)

    async def page(self, prefix: str, after: str, limit: int = 1000) -> ObjectPage:
        """Some objects whose keys begin with the prefix and come after a key, in order."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._page, prefix, after, limit)

    async def erase_objects(self, keys: Sequence[str]) -> None:
        """Delete these objects, with all their versions; deleting what isn't there is no error."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._threads, self._keeps_versions):
            await asyncio.gather(*(loop.run_in_executor(self._threads, self._erase_object, key) for key in keys))
            return
        parts = [keys[start : start + _MOST_DELETED] for start in range(0, len(keys), _MOST_DELETED)]
        await asyncio.gather(*(loop.run_in_executor(self._threads, self._delete, _unversioned(part)) for part in parts))

    async def erase(self, prefix: str) -> int:
        """Delete whatever has a key that begins with the prefix, with all its versions, until nothing is found."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._erase, prefix)

    async def check(self) -> None:
        """Prove that the bucket can be reached."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._check)

    async def close(self) -> None:
        """Give back threads and connections; the store can't be used afterwards."""
        self._threads.shutdown(wait=False)
        self._client.close()
        self._signer.close()

    def _sign_put(self, parameters: dict[str, object], expires_seconds: int) -> str:
        with _boto3_errors():
            return self._signer.generate_presigned_url(
                "put_object", Params=parameters, ExpiresIn=expires_seconds, HttpMethod="PUT"
            )

    def _list(self, prefix: str) -> Sequence[str]:
        with _boto3_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def _erase(self, prefix: str) -> int:
        erased = 0
        with _boto3_errors():
            # the first page each time: what was found is gone from it then, whatever came meanwhile is on it
            while found := self._versions(prefix):
                self._delete(found)
                erased += len(found)
        return erased

    def _erase_object(self, key: str) -> None:
        with _boto3_errors():
            # others may have a key that begins with this one
            while found := [one for one in self._versions(key) if one["Key"] == key]:
                self._delete(found)

    def _delete(self, found: "Sequence[ObjectIdentifierTypeDef]") -> None:
        with _boto3_errors():
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": found, "Quiet": True})
        if refused := answer.get("Errors"):
            raise unavailable(f"doesn't delete ({refused[0].get('Code')})")

    def _keeps_versions(self) -> bool:
        """Whether there may be any; once a bucket kept them, it does so for ever or has those of before."""
        with _boto3_errors():
            return "Status" in self._client.get_bucket_versioning(Bucket=self._bucket)

    def _page(self, prefix: str, after: str, limit: int) -> ObjectPage:
        sizes: dict[str, int] = {}
        # with the key alone, some servers begin at it and some after it
        begin = _From(KeyMarker=after) if after else _From()
        while True:
            with _boto3_errors():
                page = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix, MaxKeys=limit, **begin)
            for version in page.get("Versions", ()):
                sizes[version["Key"]] = sizes.get(version["Key"], 0) + version["Size"]
            for mark in page.get("DeleteMarkers", ()):
                sizes.setdefault(mark["Key"], 0)
            found = [StoredObject(key, sizes[key]) for key in sorted(sizes) if key > after]
            if not page["IsTruncated"]:
                return ObjectPage(tuple(found), is_last=True)
            # more versions of the last one may come
            if len(found) > 1:
                return ObjectPage(tuple(found[:-1]), is_last=False)
            begin = _From(KeyMarker=page["NextKeyMarker"], VersionIdMarker=page["NextVersionIdMarker"])

    def _versions(self, prefix: str) -> "Sequence[ObjectIdentifierTypeDef]":
        """The first objects under the prefix with all versions and markers of deletion; each counts as one."""
        page = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix)
        found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]

    def _check(self) -> None:
        try:
            with _boto3_errors():
                self._client.head_bucket(Bucket=self._bucket)
        except Missing:
            raise Unavailable(
                "object_store_unavailable", f"The object store has no bucket {self._bucket}; create it first."
            ) from None


class _ChainCredentials:
    """What boto3's chain finds, for obstore: so one rule says where credentials come from, and who renews them."""

    def __init__(self) -> None:
        self._session = boto3.session.Session()

    async def __call__(self) -> "S3Credential":
        return await asyncio.to_thread(self._find)

    def _find(self) -> "S3Credential":
        credentials = self._session.get_credentials()
        found = credentials.get_frozen_credentials() if credentials else None
        if found is None or found.access_key is None or found.secret_key is None:
            raise NoCredentialsError
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_LAST,
        }


def _store(settings: S3Settings, endpoint: str | None) -> S3Store:
    client_options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "timeout": timedelta(seconds=_REQUEST_SECONDS),
    }
    retry_config: RetryConfig = {
        "max_retries": _ATTEMPTS - 1,
        "retry_timeout": timedelta(seconds=_ATTEMPTS * _REQUEST_SECONDS),
    }
    config: S3Config = {"region": settings.region, "virtual_hosted_style_request": endpoint is None}
    if endpoint is not None:
        config["endpoint"] = endpoint
    key_id, secret = _keys(settings)
    if key_id is None or secret is None:
        return S3Store(
            settings.bucket,
            config=config,
            client_options=client_options,
            retry_config=retry_config,
            credential_provider=_ChainCredentials(),
        )
    config |= {"access_key_id": key_id, "secret_access_key": secret}
    return S3Store(settings.bucket, config=config, client_options=client_options, retry_config=retry_config)


def _client(settings: S3Settings, endpoint: str | None) -> "S3Client":
    key_id, secret = _keys(settings)
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(
            signature_version="s3v4",
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_REQUEST_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            s3={"addressing_style": "path" if endpoint else "virtual"},
            # Newer botocore adds a CRC32 trailer to every PUT, also to presigned ones, where a browser can't make it.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _keys(settings: S3Settings) -> tuple[str | None, str | None]:
    key_id, secret = settings.access_key_id, settings.secret_access_key
    return key_id.get_secret_value() if key_id else None, secret.get_secret_value() if secret else None


def _unversioned(keys: Sequence[str]) -> "Sequence[ObjectIdentifierTypeDef]":
    return [{"Key": key} for key in keys]


@contextmanager
def _obstore_errors() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, obstore.exceptions.BaseError) as error:
        raise of_obstore(error) from error


@contextmanager
def _boto3_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise of_boto3(error) from error
    except NoCredentialsError as error:
        raise unavailable("got no credentials from this process") from error
    except (EndpointError, HTTPClientError) as error:
        raise unavailable("can't be reached") from error
