"""One selfie's way through the whole platform, on real parts, as a frontend sees it."""

import io
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)


def test_a_photo_comes_back_as_a_face_report(platform: Platform) -> None:
    """Upload, analyse, look: one face, its 468 points, pose, gates, tone, and where the time went."""
    photo = faces.jpeg_bytes(faces.astronaut_1080p())
    answer = platform.analyse(photo)
    assert answer.status_code == 200, answer.text
    analysis = answer.json()
    face = analysis["face"]
    assert analysis["status"] == "completed"
    assert analysis["modelRevision"].startswith("face@sha256:")
    assert face["faceCount"] == 1
    assert len(face["landmarks"]) == 468
    assert face["quality"]["passed"]
    assert abs(face["pose"]["yaw"]) < 20
    assert 1 <= analysis["tone"]["monk"]["tone"] <= 10
    assert platform.client.get(f"/look/{analysis['uploadId']}").json()["face"] == face
    job = platform.client.get(f"/jobs/{analysis['jobId']}").json()
    assert [step["status"] for step in job["steps"]] == ["created", "processing", "completed"]
    assert {"outbox", "kafka", "queue", "serving", "commit"} <= set(job["timings"])


def test_the_annotated_picture_can_be_fetched(platform: Platform) -> None:
    """The annotatedUrl is a presigned URL of a PNG that needs no other credential."""
    analysis = platform.analyse(faces.jpeg_bytes(faces.astronaut())).json()
    fetched = httpx.get(analysis["annotatedUrl"], timeout=60).raise_for_status()
    with Image.open(io.BytesIO(fetched.content)) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) >= 256


def test_the_stores_notification_starts_the_analysis(platform: Platform) -> None:
    """Without any call after the PUT, the look appears and completes."""
    upload_id = platform.upload(faces.jpeg_bytes(faces.astronaut()))

    def completed() -> bool:
        look = platform.client.get(f"/look/{upload_id}")
        return look.status_code == 200 and look.json()["status"] == "completed"

    wait_until(completed, 90, "the analysis that the notification starts has completed")


def test_call_and_notification_start_it_once(platform: Platform) -> None:
    """The notification and ten calls at the same moment: one job, one analysis, one answer for all."""
    upload_id = platform.upload(faces.jpeg_bytes(faces.astronaut()))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: platform.ask(upload_id), range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["jobId"] for answer in answers}) == 1
    assert platform.query("SELECT count(*) FROM jobs WHERE upload_id = %s", upload_id) == [(1,)]


def test_the_original_is_gone_and_the_photo_has_no_metadata(platform: Platform) -> None:
    """After the analysis the store holds the clean photo and the pictures of what was seen, nothing else of it."""
    original = faces.exif_rotated_jpeg_bytes(faces.astronaut())
    upload_id = platform.analyse(original).json()["uploadId"]
    store = platform.s3()
    listed = store.list_objects_v2(Bucket=platform.environment["MIEN_S3__BUCKET"], Prefix=f"uploads/{upload_id}/")
    names = {entry["Key"].removeprefix(f"uploads/{upload_id}/") for entry in listed["Contents"]}
    assert {name for name in names if not name.startswith("masks/")} == {"annotated.png", "photo"}
    assert all(name.endswith(".png") for name in names - {"photo"})
    body = store.get_object(Bucket=platform.environment["MIEN_S3__BUCKET"], Key=f"uploads/{upload_id}/photo")["Body"]
    with Image.open(io.BytesIO(body.read())) as photo:
        assert not photo.getexif()
        assert "icc_profile" not in photo.info


@pytest.mark.parametrize(
    ("photo", "content_type"),
    [
        (faces.exif_rotated_jpeg_bytes(faces.astronaut()), "image/jpeg"),
        (faces.cmyk_jpeg_bytes(faces.astronaut()), "image/jpeg"),
        (faces.grey_jpeg_bytes(faces.astronaut()), "image/jpeg"),
        (faces.palette_png_bytes(faces.astronaut()), "image/png"),
        (faces.webp_bytes(faces.astronaut()), "image/jpeg"),
    ],
    ids=["exif-rotated", "cmyk", "greyscale", "palette-with-alpha", "webp-named-jpg"],
)
def test_unusual_photos_work(platform: Platform, photo: bytes, content_type: str) -> None:
    """What is a photo is analysed, however it is stored; the face stands upright."""
    answer = platform.analyse(photo, content_type)
    assert answer.status_code == 200, answer.text
    face = answer.json()["face"]
    forehead, chin = face["landmarks"][10], face["landmarks"][152]
    assert forehead["y"] < chin["y"]
    assert abs(face["pose"]["roll"]) < 20


def _huge_png() -> bytes:
    picture = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(picture, "PNG")
    return picture.getvalue()


@pytest.mark.parametrize(
    ("photo", "content_type", "code"),
    [
        (b"This is no image at all, however it is named.", "image/jpeg", "not_an_image"),
        (faces.jpeg_bytes(faces.astronaut())[:20_000], "image/jpeg", "truncated_image"),
        (_huge_png(), "image/png", "too_many_pixels"),
        (faces.jpeg_bytes(faces.no_face()), "image/jpeg", "no_face"),
        (faces.jpeg_bytes(faces.cat()), "image/jpeg", "no_face"),
    ],
    ids=["not-an-image", "truncated", "20000x20000", "coffee", "cat"],
)
def test_what_can_not_be_analysed_is_refused_with_its_code(
    platform: Platform, photo: bytes, content_type: str, code: str
) -> None:
    """The answer is a problem, the job has failed for good, the look says the same; nothing hangs or retries."""
    answer = platform.analyse(photo, content_type)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    job = platform.client.get(f"/jobs/{answer.json()['jobId']}").json()
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    look = platform.client.get(f"/look/{answer.json()['uploadId']}").json()
    assert (look["status"], look["error"]["code"]) == ("failed", code)


def test_of_two_faces_the_larger_is_analysed(platform: Platform) -> None:
    """The report counts both and says so in a gate."""
    face = platform.analyse(faces.jpeg_bytes(faces.two_faces())).json()["face"]
    assert face["faceCount"] == 2
    assert face["boundingBox"]["left"] + face["boundingBox"]["width"] / 2 < 0.5
    gates = {gate["code"]: gate for gate in face["quality"]["gates"]}
    assert not gates["multiple_faces"]["passed"]
    assert gates["multiple_faces"]["advice"]


def test_a_tiny_face_is_found_and_not_measured(platform: Platform) -> None:
    """A face of 40 pixels: an honest gate with advice, and no tone."""
    analysis = platform.analyse(faces.jpeg_bytes(faces.tiny_face(40, 400, 300))).json()
    gates = {gate["code"]: gate for gate in analysis["face"]["quality"]["gates"]}
    assert not gates["face_too_small"]["passed"]
    assert gates["face_too_small"]["advice"]
    assert analysis["tone"] is None


def test_the_store_holds_the_client_to_its_announcement(platform: Platform) -> None:
    """Another length or another type than announced is refused by the store, and nothing can be analysed."""
    body = {"contentType": "image/jpeg", "contentLength": 100}
    announced = platform.client.post("/upload-url", json=body).json()
    longer = {**announced["headers"], "Content-Length": "101"}
    other = {**announced["headers"], "Content-Type": "text/html"}
    assert httpx.put(announced["uploadUrl"], headers=longer, content=b"x" * 101, timeout=60).status_code == 403
    assert httpx.put(announced["uploadUrl"], headers=other, content=b"x" * 100, timeout=60).status_code == 403
    answer = platform.client.post("/analyze", json={"uploadId": announced["uploadId"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_not_received")


def test_an_unknown_upload_and_another_tenants_are_the_same(platform: Platform) -> None:
    """404 for both, on every path, with a real second tenant's key."""
    mine = platform.analyse(faces.jpeg_bytes(faces.astronaut())).json()
    other = httpx.Client(
        base_url=platform.environment["MIEN_URL"], headers={"Authorization": platform.new_key("other")}, timeout=60
    )
    with other:
        for upload_id, job_id in ((mine["uploadId"], mine["jobId"]), (str(uuid4()), str(uuid4()))):
            assert other.get(f"/look/{upload_id}").status_code == 404
            assert other.get(f"/jobs/{job_id}").status_code == 404
            assert other.post("/analyze", json={"uploadId": upload_id}).status_code == 404


def test_an_event_twice_has_one_effect(platform: Platform) -> None:
    """The same UploadReceived, published again, changes nothing: one analysis, the job's steps as before."""
    analysis = platform.analyse(faces.jpeg_bytes(faces.astronaut())).json()
    job = platform.client.get(f"/jobs/{analysis['jobId']}").json()

    def all_acknowledged() -> bool:
        committed, written = platform.offsets("mien-analyse-face", "mien.upload-received.v1")
        return committed == written

    wait_until(all_acknowledged, 60, "everything so far is acknowledged")
    _, before = platform.offsets("mien-analyse-face", "mien.upload-received.v1")
    platform.publish_again(job["uploadId"], job["id"])
    assert platform.offsets("mien-analyse-face", "mien.upload-received.v1")[1] == before + 1
    wait_until(all_acknowledged, 60, "the repeated event is acknowledged")
    assert platform.client.get(f"/jobs/{analysis['jobId']}").json() == job
    assert platform.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_health_and_metrics(platform: Platform) -> None:
    """Everything behind the service is well, and it counts what it does."""
    assert platform.client.get("/api/health").json()["status"] == "ok"
    assert "mien_http_requests_total" in platform.client.get("/metrics").text
