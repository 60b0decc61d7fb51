"""S3: versitygw over a folder, telling Kafka of every object that was made."""

import json
from collections.abc import Mapping

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import SecretStr

from mien_core.settings import S3Settings
from mien_local.golang.build import build
from mien_local.parts.kafka import create_topics
from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.parts.versitygw import VERSITYGW
from mien_local.ports import HOST

BUCKET = "mien"
NOTIFICATIONS_TOPIC = "mien.s3-notifications"
NOTIFICATIONS_PARTITIONS = 4
_REGION = "us-east-1"
_ACCESS_KEY_ID = "mien"
_HEALTH = "/.health"  # no bucket can be called so


class S3(ServerPart):
    """One gateway on the loopback address with one bucket; objects survive restarts.

    Args:
        stage: as for every part.
        brokers: of the Kafka that hears of new objects; it must be up when start() is called, which makes the topic.
        allowed_origin: from where browsers may PUT.
    """

    name = "s3"

    def __init__(self, stage: Stage, brokers: str, allowed_origin: str = "http://localhost:3000") -> None:
        super().__init__(stage)
        self._brokers = brokers
        self._allowed_origin = allowed_origin
        self._port = stage.home.port("s3")
        self._secret = stage.home.secret("s3")
        self._server = Server(stage, self.name)

    @property
    def endpoint(self) -> str:
        """The base URL, for services and browsers alike."""
        return f"http://{HOST}:{self._port}"

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.endpoint

    @property
    def settings(self) -> S3Settings:
        """As a service would read them."""
        return S3Settings(
            endpoint=self.endpoint,
            public_endpoint=self.endpoint,
            region=_REGION,
            bucket=BUCKET,
            access_key_id=SecretStr(_ACCESS_KEY_ID),
            secret_access_key=SecretStr(self._secret),
        )

    def environment(self) -> Mapping[str, str]:
        """All of MIEN_S3__."""
        return {
            "MIEN_S3__ENDPOINT": self.endpoint,
            "MIEN_S3__PUBLIC_ENDPOINT": self.endpoint,
            "MIEN_S3__REGION": _REGION,
            "MIEN_S3__BUCKET": BUCKET,
            "MIEN_S3__ACCESS_KEY_ID": _ACCESS_KEY_ID,
            "MIEN_S3__SECRET_ACCESS_KEY": self._secret,
        }

    def prepare(self) -> None:
        """Build the server, the first time on a machine."""
        build(VERSITYGW, self.stage, self.name)

    def start(self) -> None:
        """Start, wait until it answers, make the bucket."""
        folder = self.stage.home.data / "s3"
        objects, metadata, events = folder / "objects", folder / "metadata", folder / "events.json"
        for each in (objects, metadata):
            each.mkdir(parents=True, exist_ok=True)
        # The gateway sends a test event when it starts, and gives up if it can't.
        create_topics(self._brokers, {NOTIFICATIONS_TOPIC: NOTIFICATIONS_PARTITIONS})
        events.write_text(json.dumps({"s3:ObjectCreated:*": True}))
        self._server.start(
            # Attributes in files of their own: not every file system (tmpfs, network drives) keeps extended ones.
            [build(VERSITYGW, self.stage, self.name), "posix", "--sidecar", metadata, objects],
            {
                "VGW_PORT": f"{HOST}:{self._port}",
                "VGW_HEALTH": _HEALTH,
                "VGW_REGION": _REGION,
                "VGW_QUIET": "true",  # its access log would hold presigned URLs, signature included
                "VGW_CORS_ALLOW_ORIGIN": self._allowed_origin,
                "VGW_EVENT_KAFKA_URL": self._brokers,
                "VGW_EVENT_KAFKA_TOPIC": NOTIFICATIONS_TOPIC,
                "VGW_EVENT_FILTER": str(events),
                "ROOT_ACCESS_KEY_ID": _ACCESS_KEY_ID,
                "ROOT_SECRET_ACCESS_KEY": self._secret,
            },
        )
        self._server.wait(self._answers, 30.0)
        create_bucket(self.settings)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.endpoint + _HEALTH, timeout=1.0).is_success
        except httpx.TransportError:
            return False


def create_bucket(settings: S3Settings) -> None:
    """Make the bucket unless it is there.

    Raises:
        ClientError: the store refuses.
    """
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id.get_secret_value() if settings.access_key_id else None,
        aws_secret_access_key=settings.secret_access_key.get_secret_value() if settings.secret_access_key else None,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
    )
    try:
        client.create_bucket(Bucket=settings.bucket)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
