"""GlamAI on the whole platform, as its frontend sees it: from the announcement of a photo to a saved look."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from mien_core.events import LooksRecommended
from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)

USER = "glamorous-anna"


def own(tag: int) -> bytes:
    """A portrait that no other test has sent: one corner differs."""
    picture = faces.astronaut_1080p()
    picture[:16, :16] = np.random.default_rng(tag).integers(0, 255, (16, 16, 3), np.uint8)
    return faces.jpeg_bytes(picture)


def get(platform: Platform, path: str, **params: str | int) -> dict[str, Any]:
    answer = platform.client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def announced(platform: Platform, photo: bytes, *, by_query: bool) -> dict[str, Any]:
    """Announce a photo of USER's and send its bytes, as a newer or an older client."""
    wanted: dict[str, str | int] = {"contentType": "image/jpeg", "contentLength": len(photo), "userId": USER}
    if by_query:
        body = get(platform, "/get-presigned-url", **wanted)
    else:
        body = platform.client.post("/upload-url", json=wanted).raise_for_status().json()
    sent = httpx.request(body["method"], body["uploadUrl"], headers=body["headers"], content=photo, timeout=60)
    assert sent.status_code == 200, sent.text
    return body


def picture_at(url: str) -> Image.Image:
    """What a presigned URL gives to somebody without any credential."""
    return Image.open(io.BytesIO(httpx.get(url, timeout=60).raise_for_status().content))


def test_from_a_photo_to_a_saved_look(platform: Platform) -> None:
    """Announce, send, analyse, look, read the recommendation, save its first look, find it in the list."""
    upload_id = announced(platform, own(71), by_query=False)["uploadId"]
    answer = platform.ask(upload_id)
    assert answer.status_code == 200, answer.text
    analysis = answer.json()
    assert (analysis["status"], analysis["uploadId"]) == ("completed", upload_id)

    recommendation = analysis["recommendation"]
    assert recommendation["engine"] == "ranker"
    assert len(recommendation["looks"]) == 3
    overlays = {asset["assetId"]: asset for asset in get(platform, "/assets")["assets"]}
    for look in recommendation["looks"]:
        assert look["reason"]
        categories = {preset["category"] for preset in look["presets"]}
        assert {"lipstick", "eyeshadow", "blush", "foundation"} <= categories
        assert look["products"], "the samples have something for every face"
        named = {preset["assetId"] for preset in look["presets"]} - {None}
        assert named <= set(overlays)

    shown = get(platform, f"/look/{upload_id}")
    assert shown["status"] == "completed"
    assert shown["recommendation"] == recommendation
    assert get(platform, "/get-recommendation", uploadId=upload_id) == {
        "uploadId": upload_id,
        "recommendation": recommendation,
    }

    first = recommendation["looks"][0]
    saving = {"userId": USER, "uploadId": upload_id, **{key: first[key] for key in ("name", "presets", "products")}}
    saved = platform.client.post("/looks/save", json=saving)
    assert saved.status_code == 201, saved.text
    assert saved.json() == {**saving, "lookId": saved.json()["lookId"], "createdAt": saved.json()["createdAt"]}
    assert get(platform, f"/looks/{USER}")["looks"][0] == saved.json()


def test_looks_come_with_the_analysis_and_are_told_of(platform: Platform) -> None:
    """One job of its kind has ended, the catalogue's own shades are named, and LooksRecommended went out."""
    upload_id = announced(platform, own(72), by_query=True)["uploadId"]
    before = _told(platform)
    analysis = platform.ask(upload_id).json()
    job = get(platform, f"/jobs/{analysis['jobId']}")
    assert (job["kind"], job["status"]) == ("analyse-face", "completed")
    assert "serving.recommend" in job["timings"]
    assert platform.query("SELECT kind FROM jobs WHERE upload_id = %s", upload_id) == [("analyse-face",)]
    shades = dict(platform.query("SELECT id, shade_hex FROM products"))
    for look in analysis["recommendation"]["looks"]:
        for product in look["products"]:
            assert shades[product["productId"]] == product["shade"]["hex"]
    wait_until(lambda: _told(platform) > before, 60, "LooksRecommended is on its topic")


def _told(platform: Platform) -> int:
    """How many messages LooksRecommended's topic has."""
    return platform.offsets("mien-recommend-looks", LooksRecommended.topic)[1]


def test_overlays_can_be_fetched_by_a_page(platform: Platform) -> None:
    """Each asset's URL gives a PNG with alpha; a category has its own; an unknown one is 404."""
    assets = get(platform, "/assets")["assets"]
    assert {asset["category"] for asset in assets} == {"lipstick", "eyeshadow", "blush"}
    for asset in assets:
        with picture_at(asset["url"]) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGBA")
            assert picture.getchannel("A").getextrema() == (0, 255)
    blushes = get(platform, "/assets/blush")["assets"]
    assert [asset["assetId"] for asset in blushes] == [
        asset["assetId"] for asset in assets if asset["category"] == "blush"
    ]
    unknown = platform.client.get("/assets/nose")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "category_not_found")
