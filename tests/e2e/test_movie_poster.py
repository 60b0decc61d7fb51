"""The Movie Poster Generator on the whole platform, as its frontend and its payment provider see it."""

import hashlib
import hmac
import io
import json
import time
from uuid import uuid4

import httpx
import numpy as np
import pytest
from PIL import Image

from mien_local.home import Home
from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)

PATH = "/movie-poster-api-design"
PROMPT = "A keeper who hasn't spoken in years finds a door beneath the sea."


def new_user(platform: Platform) -> str:
    """A user of this test alone; their id."""
    user_id = f"user-{uuid4()}"
    answer = platform.client.post("/user", json={"user_id": user_id, "email": f"{user_id}@example.org"})
    assert (answer.status_code, answer.json()["credits"]) == (201, 3), answer.text
    return user_id


def credits_of(platform: Platform, user_id: str) -> int:
    found: int = platform.client.get("/user", params={"user_id": user_id}).raise_for_status().json()["credits"]
    return found


def fetched(url: str) -> Image.Image:
    """What a browser gets at a poster's URL, which carries no credential."""
    answer = httpx.get(url, timeout=60).raise_for_status()
    assert answer.headers["Content-Type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def upload(platform: Platform, photo: bytes, user_id: str) -> str:
    body = {"contentType": "image/jpeg", "contentLength": len(photo), "purpose": "poster", "userId": user_id}
    announced = platform.client.post("/upload-url", json=body).raise_for_status().json()
    httpx.put(announced["uploadUrl"], headers=announced["headers"], content=photo, timeout=60).raise_for_status()
    upload_id: str = announced["uploadId"]
    return upload_id


def test_a_poster_is_made_paid_and_listed(platform: Platform) -> None:
    """As the frontend does it: an account, a GET, the picture, the history; the same GET again costs nothing."""
    user_id = new_user(platform)
    order = {"user_id": user_id, "prompt": PROMPT, "title": "The Last Lighthouse", "genre": "drama", "aspect": "2:3"}
    answer = platform.client.get(PATH, params=order, headers={"Prefer": "wait=60"}, timeout=90)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["user_id"], body["status"]) == (user_id, "completed")
    with fetched(body["poster_url"]) as picture:
        assert (picture.format, picture.size) == ("PNG", (1000, 1500))
    again = platform.client.get(PATH, params=order).json()
    assert (again["timestamp"], again["job_id"]) == (body["timestamp"], body["job_id"])
    assert credits_of(platform, user_id) == 2
    [line] = platform.client.get("/history", params={"user_id": user_id}).json()["posters"]
    assert (line["title"], line["prompt"], line["status"]) == ("The Last Lighthouse", PROMPT, "completed")
    assert line["timestamp"] == body["timestamp"]
    with fetched(line["poster_url"]) as listed:
        assert listed.size == (1000, 1500)
    job = platform.client.get(f"/jobs/{body['job_id']}").json()
    assert {"outbox", "kafka", "serving", "serving.compose", "commit"} <= set(job["timings"])
    assert platform.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_poster_shows_the_users_photo(platform: Platform) -> None:
    """Announced for it and sent to the store; the poster differs from the one without, and the original is gone."""
    user_id = new_user(platform)
    upload_id = upload(platform, faces.jpeg_bytes(faces.astronaut()), user_id)
    pictures = []
    for more in ({}, {"upload_id": upload_id}):
        order = {"user_id": user_id, "prompt": PROMPT, "aspect": "1:1", **more}
        made = platform.client.post(PATH, json=order, headers={"Prefer": "wait=60"}, timeout=90)
        assert made.status_code == 200, made.text
        with fetched(made.json()["poster_url"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB"), dtype=np.float64))
    upper = slice(0, 500)
    assert np.abs(pictures[0][upper] - pictures[1][upper]).mean() > 10
    listed = platform.s3().list_objects_v2(
        Bucket=platform.environment["MIEN_S3__BUCKET"], Prefix=f"uploads/{upload_id}/"
    )
    assert [entry["Key"].rpartition("/")[2] for entry in listed["Contents"]] == ["photo"]


def test_what_fails_costs_nothing(platform: Platform) -> None:
    """A photo that is none: whoever waits is told, and the credit is there again. So it is after a cancellation."""
    user_id = new_user(platform)
    upload_id = upload(platform, b"no image at all", user_id)
    order = {"user_id": user_id, "prompt": PROMPT, "upload_id": upload_id}
    answer = platform.client.post(PATH, json=order, headers={"Prefer": "wait=60"}, timeout=90)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")
    assert credits_of(platform, user_id) == 3
    early = platform.client.post(PATH, json={**order, "upload_id": None}, headers={"Prefer": "wait=0"})
    assert early.status_code == 202
    ended = platform.client.delete(early.headers["Location"])
    wait_until(
        lambda: platform.client.get(early.headers["Location"]).json()["status"] in {"cancelled", "completed"},
        60,
        "the job has an end",
    )
    assert credits_of(platform, user_id) == (3 if ended.is_success else 2)


def test_credits_are_bought(platform: Platform) -> None:
    """402 without any; an order, the provider's signed event, once and twice; then the poster is made."""
    user_id = new_user(platform)
    for number in range(3):
        order = {"user_id": user_id, "prompt": f"Number {number}"}
        assert platform.client.get(PATH, params=order, headers={"Prefer": "wait=0"}).status_code == 202
    order = {"user_id": user_id, "prompt": "One too many"}
    refused = platform.client.get(PATH, params=order)
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")

    payment = platform.client.post("/pay", json={"user_id": user_id, "pack": "starter"}).raise_for_status().json()
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount_received": payment["amount"],
        "currency": payment["currency"],
        "metadata": {"payment_id": payment["payment_id"]},
    }
    body = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": intent}}).encode()
    secret = Home(platform.home).secret("payments")
    url = platform.environment["MIEN_URL"] + "/pay"
    for key, status in ((secret, 200), (secret, 200), ("whsec_guessed-by-somebody", 400)):
        at = int(time.time())
        signed = hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signed}", "Content-Type": "application/json"}
        told = httpx.post(url, content=body, headers=headers, timeout=60)
        assert told.status_code == status, told.text
    assert credits_of(platform, user_id) == payment["credits"]
    assert platform.client.get(PATH, params=order, headers={"Prefer": "wait=60"}, timeout=90).status_code == 200
    assert credits_of(platform, user_id) == payment["credits"] - 1
    balance = platform.query("SELECT sum(amount) FROM poster_ledger WHERE user_id = %s", user_id)
    assert balance == [(payment["credits"] - 1,)]
