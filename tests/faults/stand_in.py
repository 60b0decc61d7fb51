"""A model serving without models, as a program: the same words over HTTP and the same objects in S3, in a millisecond.

It fetches the original, keeps the photo, deletes the original and writes the pictures in the order in which the true
one does, and tells of an S3 that is away in the same way. What it does besides can be chosen while it runs.
"""

import argparse
import asyncio
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel

from mien_core import faults
from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import Missing, Unavailable
from mien_core.model.keys import annotated_key, mask_key, original_key, photo_key
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.settings import S3Settings, ServiceSettings, load
from mien_local.ports import HOST
from mien_streams.serving import FACE_PATH
from tests.makers import face_report, skin_report

REVISION = "face@sha256:0123456789ab"
ETAG = f"{REVISION}/1"
PIXEL_DIGEST = "ab" * 32
BEHAVIOUR_PATH = "/behaviour"
PICTURE = b"not really a picture"


class Behaviour(BaseModel):
    """What it does with requests: how long each takes, which are held back, and which meet a replica that died."""

    delay_seconds: float = 0.002
    held: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()


class Settings(ServiceSettings):
    """Where the photos are."""

    s3: S3Settings


class StandIn:
    """Answers POST /v1/face."""

    def __init__(self, store: S3ObjectStore) -> None:
        self._store = store
        self._behaviour = Behaviour()
        self._skin = skin_report()
        self._report = face_report()

    async def behave(self, request: web.Request) -> web.Response:
        """Take a new behaviour."""
        self._behaviour = Behaviour.model_validate_json(await request.read())
        return web.Response()

    async def face(self, request: web.Request) -> web.Response:
        """Answer, in the true one's words."""
        asked = FaceRequest.model_validate_json(await request.read())
        if asked.upload_id in self._behaviour.broken:
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        if request.headers.get("If-None-Match") == f'"{ETAG}"':
            return web.Response(status=HTTPStatus.NOT_MODIFIED)
        await asyncio.sleep(self._behaviour.delay_seconds)
        while asked.upload_id in self._behaviour.held:  # noqa: ASYNC110 - a behaviour is replaced as a whole
            await asyncio.sleep(0.01)
        try:
            await self._keep(asked.upload_id)
        except Unavailable as error:
            problem = {"status": HTTPStatus.SERVICE_UNAVAILABLE, "code": error.code, "detail": error.detail}
            return web.json_response(problem, status=HTTPStatus.SERVICE_UNAVAILABLE)
        answer = FaceAnswer(
            model_revision=REVISION,
            etag=ETAG,
            report=self._report,
            skin=self._skin,
            annotated_key=annotated_key(asked.upload_id),
            mask_keys={"radiance": mask_key(asked.upload_id, "radiance")},
            photo=PhotoFacts(width=640, height=480, pixel_digest=PIXEL_DIGEST),
            timings={},
        )
        return web.Response(body=answer.model_dump_json().encode(), content_type="application/json")

    async def _keep(self, upload_id: str) -> None:
        try:
            original = await self._store.get(original_key(upload_id))
        except Missing:
            pass
        else:
            await self._store.put(photo_key(upload_id), original, "image/png")
            await self._store.delete(original_key(upload_id))
        await self._store.put(annotated_key(upload_id), PICTURE, "image/png")
        await self._store.put(mask_key(upload_id, "radiance"), PICTURE, "image/png")


def main() -> None:
    """Serve on the port of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port: int = parser.parse_args().port
    settings = load(Settings)
    faults.arm(settings.faults)
    stand_in = StandIn(S3ObjectStore(settings.s3))
    application = web.Application()
    application.router.add_post(FACE_PATH, stand_in.face)
    application.router.add_post(BEHAVIOUR_PATH, stand_in.behave)
    web.run_app(application, host=HOST, port=port, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
