"""Serving on a real Ray with a real object store: answers, refusals, and rollouts under load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.model.comparisons import ComparisonWindow, windows_from_json
from mien_core.model.keys import annotated_key, original_key, photo_key
from mien_core.model.serving import FaceAnswer
from mien_core.model.tryon import TryOnAnswer, TryOnRequest
from mien_core.photo import open_photo
from mien_core.rules.serve_config import Revision, ServeOptions, Shadowing, render
from mien_core.rules.tryon import LOOKS
from mien_core.settings import S3Settings
from mien_local.parts.ray import Ray
from mien_local.parts.serving import deploy
from mien_local.ports import HOST
from mien_serving.artifact import build
from mien_serving.face.model_files import installed_model_files
from tests.faces import astronaut, jpeg_bytes, no_face
from tests.parts import run, stage

pytestmark = pytest.mark.timeout(900)

DEADLINE_SECONDS = 240.0


class Platform:
    """Ray with the router and the revisions that a test puts there, and the bucket that they read."""

    def __init__(self, ray: Ray, store: S3ObjectStore, http: httpx.AsyncClient, options: ServeOptions) -> None:
        self.store = store
        self.http = http
        self._ray = ray
        self._options = options

    async def put(self, weights: Mapping[Revision, float], shadow: Shadowing | None = None, **options: int) -> None:
        """Roll out these revisions with these weights; return once all run and the router knows the weights."""
        names = {revision.name: weight for revision, weight in weights.items()}
        changed = ServeOptions(http_host=HOST, http_port=self._options.http_port, **options)
        await asyncio.to_thread(deploy, self._ray, render(list(weights), names, changed, shadow), self._ray.stage)
        await until(lambda: self._has_weights(names))

    async def _has_weights(self, weights: Mapping[str, float]) -> bool:
        with contextlib.suppress(httpx.TransportError):
            response = await self.http.get("/health")
            return response.is_success and response.json()["revisions"] == weights
        return False

    async def upload(self, data: bytes) -> str:
        upload_id = str(uuid4())
        await self.store.put(original_key(upload_id), data, "image/jpeg")
        return upload_id

    async def ask(self, upload_id: str, etag: str | None = None, **more: str) -> httpx.Response:
        body = {"upload_id": upload_id, "photo_key": photo_key(upload_id), "subject": upload_id, **more}
        headers = {} if etag is None else {"If-None-Match": etag}
        return await self.http.post("/v1/face", json=body, headers=headers)


@pytest.fixture(scope="module")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Revision]:
    """Two revisions of the same models."""
    folder = tmp_path_factory.mktemp("artifacts")
    files = installed_model_files().paths
    return [build(files, folder, description) for description in ("stable", "candidate")]


@pytest.fixture(scope="module")
def ray_head(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ray]:
    folder: Path = tmp_path_factory.mktemp("ray")
    keys = s3_server.access_key_id, s3_server.secret_access_key
    environment = {
        "MIEN_S3__ENDPOINT": s3_server.endpoint or "",
        "MIEN_S3__BUCKET": s3_server.bucket,
        "MIEN_S3__REGION": s3_server.region,
        "MIEN_S3__ACCESS_KEY_ID": keys[0].get_secret_value() if keys[0] else "",
        "MIEN_S3__SECRET_ACCESS_KEY": keys[1].get_secret_value() if keys[1] else "",
        "MIEN_ARTIFACT__CACHE": str(folder / "artifacts"),
    }
    part = Ray(stage(folder), environment)
    for _ in run(part):
        yield part


@pytest.fixture(scope="module")
async def platform(ray_head: Ray, s3_server: S3Settings, revisions: Sequence[Revision]) -> AsyncIterator[Platform]:
    options = ServeOptions(http_host=HOST, http_port=ray_head.stage.home.port("serving"))
    store = S3ObjectStore(s3_server)
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{options.http_port}", timeout=60) as http:
        platform = Platform(ray_head, store, http, options)
        await platform.put({revisions[0]: 1.0})
        yield platform
    await store.close()


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    assert response.headers["content-type"] == "application/problem+json"
    assert body["detail"]


async def test_a_face_is_answered(platform: Platform, revisions: Sequence[Revision]) -> None:
    """An uploaded photo of a face comes back as a report, with its revision; photo and picture lie in the store."""
    upload_id = await platform.upload(jpeg_bytes(astronaut()))
    response = await platform.ask(upload_id)
    assert response.status_code == 200
    answer = FaceAnswer.model_validate_json(response.content)
    assert answer.model_revision == revisions[0].name
    assert answer.report.face.face_count == 1
    box = answer.report.face.bounding_box
    assert 0.25 < box.left + box.width / 2 < 0.6
    assert response.headers["etag"] == f'"{answer.etag}"'
    for key in (annotated_key(upload_id), *answer.mask_keys.values()):
        assert (await platform.store.get(key)).startswith(b"\x89PNG")
    assert {measure.name for measure in answer.skin.measures} == set(answer.mask_keys)
    assert await platform.store.head(photo_key(upload_id))
    assert await platform.store.head(original_key(upload_id)) is None


async def test_the_second_call_uses_the_kept_photo(platform: Platform) -> None:
    """With the original gone, a repeat gives the very same report."""
    upload_id = await platform.upload(jpeg_bytes(astronaut()))
    first, second = [FaceAnswer.model_validate_json((await platform.ask(upload_id)).content) for _ in range(2)]
    assert second.report == first.report
    assert second.photo == first.photo


async def test_an_answer_that_is_known_is_confirmed_without_a_replica(
    platform: Platform, revisions: Sequence[Revision]
) -> None:
    """304 under the etag of the revision that would answer, even for a photo that no replica could find any more."""
    upload_id = await platform.upload(jpeg_bytes(astronaut()))
    etag = (await platform.ask(upload_id)).headers["etag"]
    confirmed = await platform.ask(str(uuid4()), etag)
    assert (confirmed.status_code, confirmed.content, confirmed.headers["etag"]) == (304, b"", etag)
    assert (await platform.ask(upload_id, etag.replace(revisions[0].name, revisions[1].name))).status_code == 200
    assert (await platform.ask(upload_id, '"something else"')).status_code == 200
    assert_problem(
        await platform.ask(str(uuid4()), etag, revision="face@sha256:000000000000"), 404, "revision_not_found"
    )


async def test_a_look_is_put_on_a_photo(platform: Platform, revisions: Sequence[Revision]) -> None:
    """A kept photo of a face comes back with its picture in the store; one without a face is refused."""
    pictures = {}
    for name, picture in (("face", astronaut()), ("none", no_face())):
        upload_id, job_id = str(uuid4()), str(uuid4())
        await platform.store.put(photo_key(upload_id), open_photo(jpeg_bytes(picture)).encoded, "image/jpeg")
        request = TryOnRequest(
            upload_id=upload_id,
            photo_key=photo_key(upload_id),
            subject="public/visitor",
            job_id=job_id,
            presets=LOOKS["berry"],
        )
        pictures[name] = await platform.http.post("/v1/tryon", content=request.model_dump_json())
    assert pictures["face"].status_code == 200, pictures["face"].text
    answer = TryOnAnswer.model_validate_json(pictures["face"].content)
    assert answer.model_revision == revisions[0].name
    assert (await platform.store.get(answer.output_key))[8:12] == b"WEBP"
    assert_problem(pictures["none"], 422, "no_face")
    assert_problem(await platform.http.post("/v1/tryon", content=b"{}"), 422, "malformed_request")


async def test_no_face(platform: Platform) -> None:
    """A photo without a face is refused with its code."""
    assert_problem(await platform.ask(await platform.upload(jpeg_bytes(no_face()))), 422, "no_face")


async def test_not_an_image(platform: Platform) -> None:
    """What the door for pixels refuses keeps its code on the way through Ray."""
    assert_problem(await platform.ask(await platform.upload(b"hello")), 422, "not_an_image")


async def test_an_unknown_upload(platform: Platform) -> None:
    """A photo that isn't there is 404."""
    assert_problem(await platform.ask(str(uuid4())), 404, "photo_not_found")


async def test_an_unknown_revision(platform: Platform) -> None:
    """A revision that doesn't run is 404, never silently another one."""
    assert_problem(await platform.ask(str(uuid4()), revision="face@sha256:000000000000"), 404, "revision_not_found")


async def test_malformed_requests_and_wrong_paths(platform: Platform) -> None:
    """The router's own refusals are problems, too."""
    assert_problem(await platform.http.post("/v1/face", content=b"{}"), 422, "malformed_request")
    assert_problem(await platform.http.get("/v1/face"), 405, "method_not_allowed")
    assert_problem(await platform.http.get("/v1/nothing"), 404, "path_not_found")


async def test_requests_that_come_together_are_all_answered(platform: Platform) -> None:
    """Sixteen photos at once, with and without a face, each get their own answer."""
    data = [jpeg_bytes(no_face()) if number % 4 == 0 else jpeg_bytes(astronaut()) for number in range(16)]
    uploads = await asyncio.gather(*(platform.upload(each) for each in data))
    responses = await asyncio.gather(*(platform.ask(upload_id) for upload_id in uploads))
    assert [response.status_code for response in responses] == [422, 200, 200, 200] * 4


async def test_a_candidate_is_asked_behind_the_answers(platform: Platform, revisions: Sequence[Revision]) -> None:
    """Each answered request goes to the candidate as well, and the operator reads how both sides' answers differ.

    Two revisions of the same models differ in nothing; a photo without a face is refused by both.
    """
    stable, candidate = revisions
    shadow = Shadowing("rollout", 0, stable.name, candidate.name, 100)
    await platform.put({stable: 1.0, candidate: 0.0}, shadow)
    photos = [jpeg_bytes(astronaut()), jpeg_bytes(no_face()), jpeg_bytes(astronaut())]
    statuses = [(await platform.ask(await platform.upload(photo))).status_code for photo in photos]
    assert statuses == [200, 422, 200]
    seen: list[ComparisonWindow] = []

    async def counted() -> bool:
        response = await platform.http.get("/internal/comparisons")
        seen[:] = windows_from_json(response.content).windows if response.is_success else ()
        return bool(seen) and (seen[0].tally.asked, seen[0].tally.traffic.stable.requests) == (3, 3)

    await until(counted)
    [window] = seen
    assert (window.comparison.rollout, window.comparison.candidate) == ("rollout", candidate.name)
    group = window.tally.everybody
    assert (group.pairs, group.verdicts["face.found"].count, window.tally.dropped) == (2, 3, 0)
    assert all(one.squares == 0 for one in group.quantities.values())
    assert all((one.lost, one.gained) == (0, 0) for one in group.verdicts.values())
    assert window.tally.paired.candidate.latencies.count == 2
    await platform.put({stable: 1.0, candidate: 0.0})
    assert windows_from_json((await platform.http.get("/internal/comparisons")).content).windows == ()


async def test_a_rollout_under_load_fails_no_request(platform: Platform, revisions: Sequence[Revision]) -> None:
    """While a revision is added, takes over by steps and the old one goes, every request is answered."""
    stable, candidate = revisions
    upload_id = await platform.upload(jpeg_bytes(astronaut()))
    assert (await platform.ask(upload_id)).status_code == 200
    answered: list[tuple[int, str | None]] = []
    rolling = True

    async def user(name: str) -> None:
        visit = 0
        while rolling:
            visit += 1
            response = await platform.ask(upload_id, subject=f"{name}/{visit % 20}")
            revision = response.json().get("model_revision")
            answered.append((response.status_code, revision))

    users = [asyncio.create_task(user(f"user-{number}")) for number in range(3)]
    try:
        await platform.put({stable: 1.0, candidate: 0.0})
        await platform.put({stable: 0.5, candidate: 0.5})
        await more(answered, 60)
        await platform.put({stable: 0.0, candidate: 1.0})
        shifted = len(answered) + len(users)
        await more(answered, 20)
        await platform.put({candidate: 1.0})
        await more(answered, 20)
    finally:
        rolling = False
        await asyncio.gather(*users)
    assert {status for status, _ in answered} == {200}
    assert {revision for _, revision in answered[:shifted]} == {stable.name, candidate.name}
    assert {revision for _, revision in answered[shifted:]} == {candidate.name}


async def more(answered: Sequence[object], count: int) -> None:
    """Wait until so many more answers have come."""
    wanted = len(answered) + count

    async def enough() -> bool:
        return len(answered) >= wanted

    await until(enough)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition that nothing announces, some minutes at most."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)


async def test_a_full_queue_is_503(platform: Platform, revisions: Sequence[Revision]) -> None:
    """With its one place taken and its queue full, serving asks callers to come again; nobody gets another error."""
    upload_id = await platform.upload(jpeg_bytes(astronaut()))
    await platform.put({revisions[1]: 1.0}, max_ongoing_requests=1, max_queued_requests=1)
    responses = await asyncio.gather(*(platform.ask(upload_id) for _ in range(24)))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    full = responses[statuses.index(503)]
    assert_problem(full, 503, "serving_full")
    assert int(full.headers["Retry-After"]) >= 1
