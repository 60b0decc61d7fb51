"""Skin Chapters on the whole platform, as its frontend sees it."""

import io
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)

PATH = "/v1/analyze/skin"


def send(
    client: httpx.Client, photo: bytes, user_id: str | None = None, prefer: str = "wait=60", name: str = "me.jpg"
) -> httpx.Response:
    """Send a photo as a browser's form does."""
    fields = {"user_id": user_id} if user_id else {}
    return client.post(PATH, files={"image": (name, photo)}, data=fields, headers={"Prefer": prefer})


def own(tag: int) -> faces.Picture:
    """A portrait that no other test has sent: one corner differs."""
    picture = faces.astronaut_1080p()
    picture[:16, :16] = np.random.default_rng(tag).integers(0, 255, (16, 16, 3), np.uint8)
    return picture


def job_of(platform: Platform, body: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = platform.client.get(f"/jobs/{body['analysis_id']}").json()
    return job


def objects(platform: Platform, upload_id: str) -> set[str]:
    """The names of an upload's objects."""
    prefix = f"uploads/{upload_id}/"
    listed = platform.s3().list_objects_v2(Bucket=platform.environment["MIEN_S3__BUCKET"], Prefix=prefix)
    return {entry["Key"].removeprefix(prefix) for entry in listed.get("Contents", [])}


def told(body: dict[str, Any]) -> dict[str, Any]:
    """What an answer says, without what makes it this one: its id, its time, its URLs."""
    own_fields = {"analysis_id", "created_at", "annotated_url"}
    return {name: value for name, value in body.items() if name not in own_fields} | {"masks": sorted(body["masks"])}


def test_a_photo_comes_back_as_a_skin_analysis(platform: Platform) -> None:
    """Every field of the contract, masks that can be fetched, and a line in the user's history."""
    answer = send(platform.client, faces.jpeg_bytes(own(1)), user_id="anna")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["skin_type"] in {"oily", "dry", "normal", "combination", "wrinkly", "sensitive"}
    assert body["conditions"] == [name for name, p in body["probabilities"].items() if p > 0.5]
    assert 0 <= body["skin_score"] <= 100
    assert 1 <= body["recommended_chapter"] <= 7
    left_out = {one["condition"] for one in body["abstained"]} - {None}
    assert len(left_out) + len(body["probabilities"]) == 8
    assert body["quality"]["passed"]
    assert body["model_revision"].startswith("face@sha256:")
    for url in (body["annotated_url"], *body["masks"].values()):
        with Image.open(io.BytesIO(httpx.get(url, timeout=60).raise_for_status().content)) as picture:
            assert picture.format == "PNG"
            assert url == body["annotated_url"] or picture.size == (1920, 1080)
    history = platform.query("SELECT id::text, conditions, skin_score FROM skin_analyses WHERE user_id = 'anna'")
    assert history == [(body["analysis_id"], body["conditions"], body["skin_score"])]
    assert platform.client.get(f"{PATH}/{body['analysis_id']}").json()["skin_score"] == body["skin_score"]


def test_the_stores_notification_starts_nothing(platform: Platform) -> None:
    """The photo that the API wrote is announced by the store, too; there is one job, and its steps are its own."""
    body = send(platform.client, faces.jpeg_bytes(own(2))).json()
    upload_id = job_of(platform, body)["uploadId"]

    def all_acknowledged() -> bool:
        committed, written = platform.offsets("mien-s3-notifications", "mien.s3-notifications")
        return committed == written

    wait_until(all_acknowledged, 60, "every notification is dealt with")
    assert platform.query("SELECT count(*) FROM jobs WHERE upload_id = %s", upload_id) == [(1,)]
    assert {"photo", "annotated.png"} <= objects(platform, upload_id)
    assert "original" not in objects(platform, upload_id)
    assert platform.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_the_same_pixels_are_computed_once(platform: Platform) -> None:
    """Encoded losslessly in another way, they are told the same by no replica; each upload has its own pictures."""
    picture = own(3)
    first = send(platform.client, faces.png_bytes(picture)).json()
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True)
    again = send(platform.client, file.getvalue(), user_id="bea", name="other.webp").json()
    assert told(again) == told(first)
    assert again["analysis_id"] != first["analysis_id"]
    computed, reused = job_of(platform, first), job_of(platform, again)
    assert "serving.detect" in computed["timings"]
    assert "serving.copy" not in computed["timings"]
    assert "serving.detect" not in reused["timings"]
    assert "serving.copy" in reused["timings"]
    store, bucket = platform.s3(), platform.environment["MIEN_S3__BUCKET"]
    for name in objects(platform, computed["uploadId"]):
        store.delete_object(Bucket=bucket, Key=f"uploads/{computed['uploadId']}/{name}")
    for url in (again["annotated_url"], *again["masks"].values()):
        assert httpx.get(url, timeout=60).status_code == 200
    third = send(platform.client, faces.png_bytes(picture)).json()
    assert told(third) == told(first)


def test_another_tenants_pixels_are_computed_anew(platform: Platform) -> None:
    """Two tenants with the same photo never hear of each other."""
    photo = faces.png_bytes(own(4))
    mine = send(platform.client, photo).json()
    headers = {"Authorization": platform.new_key("other")}
    with httpx.Client(base_url=platform.environment["MIEN_URL"], headers=headers, timeout=60) as other:
        theirs = send(other, photo).json()
        job = other.get(f"/jobs/{theirs['analysis_id']}").json()
        assert other.get(f"{PATH}/{mine['analysis_id']}").status_code == 404
    assert told(theirs) == told(mine)
    assert "serving.detect" in job["timings"]
    assert platform.client.get(f"{PATH}/{theirs['analysis_id']}").status_code == 404


def test_who_does_not_wait_asks_later(platform: Platform) -> None:
    """202 with the job, then 200 with the analysis at the same id."""
    early = send(platform.client, faces.jpeg_bytes(own(5)), prefer="wait=0")
    assert early.status_code == 202
    location = f"{PATH}/{early.json()['analysis_id']}"
    wait_until(lambda: platform.client.get(location).status_code == 200, 90, "the analysis is there")
    assert platform.client.get(early.headers["Location"]).json()["status"] == "completed"


@pytest.mark.parametrize(
    ("photo", "status", "code", "detail"),
    [
        (b"no image at all", 400, "not_an_image", "Invalid image format"),
        (faces.jpeg_bytes(faces.astronaut())[:20_000], 400, "truncated_image", "Invalid image format"),
        (faces.jpeg_bytes(faces.cat()), 400, "no_face", "No face detected in the image"),
        (faces.jpeg_bytes(faces.tiny_face(40, 400, 300)), 422, "resolution", None),
        (faces.jpeg_bytes(faces.relit(faces.astronaut_1080p(), 0.005)), 422, "underexposed", None),
    ],
    ids=["not-an-image", "truncated", "cat", "tiny", "dark"],
)
def test_what_shows_no_skin_is_refused_with_what_to_do(
    platform: Platform, photo: bytes, status: int, code: str, detail: str | None
) -> None:
    """The contract's words or the gate's advice, the code, and nothing in the user's history."""
    user_id = f"user-{uuid4()}"
    answer = send(platform.client, photo, user_id=user_id)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["detail"] == detail if detail else body["detail"]
    assert platform.query("SELECT count(*) FROM skin_analyses WHERE user_id = %s", user_id) == [(0,)]


def test_what_a_blurred_photo_can_not_show_is_left_out(platform: Platform) -> None:
    """It is listed with what to do, has no probability and no metric, and deducts nothing."""
    body = send(platform.client, faces.jpeg_bytes(faces.blurred(faces.astronaut_1080p(), 14))).json()
    left_out = {one["condition"]: one for one in body["abstained"]}
    assert {"acne", "wrinkles", "uneven_texture"} <= set(left_out)
    assert not set(left_out) & set(body["probabilities"])
    assert "focus" in left_out["wrinkles"]["advice"]
    assert body["metrics"]["texture"] is None
    assert [gate["code"] for gate in body["quality"]["gates"] if not gate["passed"]] == ["blur"]
    most_taken_off = {"redness": 10, "dullness": 5}
    assert set(body["probabilities"]) == set(most_taken_off)
    assert body["skin_score"] >= 85


def test_glamai_shows_the_skin_as_well(platform: Platform) -> None:
    """The analysis of an announced photo has its skin part, and the same pixels then serve Skin Chapters."""
    photo = faces.jpeg_bytes(own(6))
    skin = platform.analyse(photo).json()["skin"]
    body = send(platform.client, photo).json()
    assert (skin["skinType"], skin["skinScore"]) == (body["skin_type"], body["skin_score"])
    assert (skin["conditions"], skin["probabilities"]) == (body["conditions"], body["probabilities"])
    assert skin["recommendedChapter"] == body["recommended_chapter"]
    assert "serving.copy" in job_of(platform, body)["timings"]
