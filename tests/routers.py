"""A router of this process, with revisions and counting beside it, for tests and benchmarks."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mien_core.errors import MienError, Unavailable
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.rules.serve_config import (
    COMPARISONS_APPLICATION,
    Revision,
    ServeOptions,
    Shadowing,
    render,
    revision_name,
)
from mien_serving.comparisons import Comparisons
from mien_serving.router import Router
from tests.makers import face_report, skin_report

A, B = (
    Revision(revision_name(digest), "s3://models/x", digest) for digest in ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
)
ANSWER = (
    FaceAnswer(
        model_revision=A.name,
        etag="e",
        report=face_report(),
        skin=skin_report(),
        annotated_key="uploads/u/annotated.png",
        mask_keys={},
        photo=PhotoFacts(width=640, height=480, pixel_digest="ab" * 32),
        timings={"total": 30.0},
    )
    .model_dump_json()
    .encode()
)
SHADOW = Shadowing(rollout="rollout", step=0, stable=A.name, candidate=B.name, percent=100)


class Handle:
    """What serve.get_app_handle gives, around an object of this process."""

    def __init__(self, target: object) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return Method(getattr(self._target, name))


class Method:
    """A method of such a handle."""

    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self.remote = call


class Face:
    """A revision that answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: bytes | MienError | Exception) -> None:
        self.answer = answer
        self.asked: list[FaceRequest] = []

    async def ready(self) -> None:
        if isinstance(self.answer, Unavailable):
            raise self.answer

    async def analyse(self, request: FaceRequest) -> bytes | MienError:
        self.asked.append(request)
        if isinstance(self.answer, Exception) and not isinstance(self.answer, MienError):
            raise self.answer
        return self.answer


class Served:
    """A router whose applications are these."""

    def __init__(
        self, stable: Face, candidate: Face, shadow: Shadowing | None = SHADOW, counting: object | None = None
    ) -> None:
        self.router = Router()
        self.configure(shadow)
        applications: dict[str, Any] = {
            A.application: Handle(stable),
            B.application: Handle(candidate),
            COMPARISONS_APPLICATION: Handle(counting or Comparisons()),
        }
        self.router._handles.update(applications)

    def configure(self, shadow: Shadowing | None) -> None:
        config = render([A, B], {A.name: 1.0}, ServeOptions(), shadow)
        self.router.reconfigure(config["applications"][0]["deployments"][0]["user_config"])

    async def respond(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
    ) -> Response:
        """The response before it is sent."""
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return await self.router(Request(scope, receive))

    async def face(self, upload: str = "u", **fields: str) -> Response:
        asked = FaceRequest(upload_id=upload, photo_key=f"uploads/{upload}/photo", subject="t/u", **fields)
        return await self.respond("POST", "/v1/face", asked.model_dump_json().encode())

    async def settled(self) -> None:
        if self.router._mirror is not None:
            await self.router._mirror.settled()


async def sent(response: Response) -> list[str]:
    """Send it, and run what comes after; the kinds of messages in their order."""
    kinds: list[str] = []

    async def send(message: Any) -> None:
        kinds.append(message["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await response({"type": "http"}, receive, send)
    return kinds
