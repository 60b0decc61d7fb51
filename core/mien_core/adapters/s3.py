"""The object store on S3 or anything that speaks its protocol."""

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError
from botocore.exceptions import ConnectionError as EndpointError

from mien_core.errors import Missing, Unavailable
from mien_core.ports import ObjectFacts, PresignedPut
from mien_core.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Result = TypeVar("Result")

_CONNECTIONS: Final = 32
# A HEAD has no body, so botocore makes a code of its status.
_MISSING_CODES: Final = frozenset({"NoSuchKey", "NotFound", "404"})
# Some servers answer an unknown access key with 404, so it can't be told from a missing object by status.
_REFUSALS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_BUSY_CODES: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestTimeTooSkewed"}
)


class S3ObjectStore:
    """A bucket in S3; meets mien_core.ports.ObjectStore.

    boto3 blocks, so each call runs in a thread of this store's own pool: a slow store never takes the threads that
    the rest of the process decodes pictures with. The clients are made once and are safe to share between threads.

    Args:
        settings: where the bucket is; with `public_endpoint`, presigned URLs carry that address instead.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._client = _client(settings, settings.endpoint)
        public = settings.public_endpoint
        self._signer = self._client if public in {None, settings.endpoint} else _client(settings, public)
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="s3")

    async def presign_put(self, key: str, content_type: str, content_length: int, expires_seconds: int) -> PresignedPut:
        """Sign an upload of exactly this type and length; the store refuses any other."""
        url = await self._call(
            lambda: self._signer.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": key,
                    "ContentType": content_type,
                    "ContentLength": content_length,
                },
                ExpiresIn=expires_seconds,
                HttpMethod="PUT",
            )
        )
        return PresignedPut(url, "PUT", {"Content-Type": content_type, "Content-Length": str(content_length)})

    async def presign_get(self, key: str, expires_seconds: int) -> str:
        """Sign a download; no round trip."""
        return await self._call(
            lambda: self._signer.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=expires_seconds
            )
        )

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; an existing one is replaced."""
        await self._call(
            lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)
        )

    async def get(self, key: str) -> bytes:
        """Read an object whole.

        Raises:
            Missing: object_not_found.
        """
        return await self._call(lambda: self._read(key))

    async def head(self, key: str) -> ObjectFacts | None:
        """Facts of an object, or None if there is none."""
        try:
            facts = await self._call(lambda: self._client.head_object(Bucket=self._bucket, Key=key))
        except Missing:
            # A HEAD has no body that could say whether the key or the whole bucket is away.
            await self.check()
            return None
        return ObjectFacts(facts["ContentLength"], facts["ContentType"])

    async def delete(self, key: str) -> None:
        """Delete an object; deleting what isn't there is no error."""
        await self._call(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    async def check(self) -> None:
        """Prove that the bucket can be reached."""
        try:
            await self._call(lambda: self._client.head_bucket(Bucket=self._bucket))
        except Missing:
            raise Unavailable(
                "object_store_unavailable", f"The object store has no bucket {self._bucket}; create it first."
            ) from None

    async def close(self) -> None:
        """Give back threads and connections; the store can't be used afterwards."""
        self._threads.shutdown(wait=False)
        self._client.close()
        self._signer.close()

    def _read(self, key: str) -> bytes:
        with self._client.get_object(Bucket=self._bucket, Key=key)["Body"] as body:
            return body.read()

    async def _call(self, call: Callable[[], Result]) -> Result:
        context = contextvars.copy_context()  # so that a trace goes on in the thread
        return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, _translated, call)


def _client(settings: S3Settings, endpoint: str | None) -> "S3Client":
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id.get_secret_value() if settings.access_key_id else None,
        aws_secret_access_key=settings.secret_access_key.get_secret_value() if settings.secret_access_key else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=3,
            read_timeout=15,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": 3},
            # what is called here is known, so each call needn't be held against S3's model
            parameter_validation=False,
            s3={"addressing_style": "path" if endpoint else "virtual"},
            # Newer botocore adds a CRC32 trailer to every PUT, also to presigned ones, where a browser can't make it.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _translated(call: Callable[[], Result]) -> Result:
    with _errors():
        return call()


@contextmanager
def _errors() -> Iterator[None]:
    """The vendor's errors as the house's; what isn't expected stays a bug."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"].get("Code", "")
        if code == "NoSuchBucket":
            raise _unavailable("has no such bucket") from error
        if code in _MISSING_CODES:
            raise Missing(
                "object_not_found", "There is no such object; it was never written, or has expired."
            ) from error
        if status in _REFUSALS:
            raise _unavailable(f"refuses these credentials ({code})") from error
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS or code in _BUSY_CODES:
            raise _unavailable(f"is busy or failing ({code or status})") from error
        raise
    except NoCredentialsError as error:
        raise _unavailable("got no credentials from this process") from error
    except (EndpointError, HTTPClientError, IncompleteReadError) as error:
        raise _unavailable("can't be reached") from error


def _unavailable(what: str) -> Unavailable:
    return Unavailable("object_store_unavailable", f"The object store {what}; try again later.")
