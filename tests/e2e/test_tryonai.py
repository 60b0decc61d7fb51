"""TryOnAI on the whole platform, as its frontend sees it: without a credential, as anybody comes."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from mien_core.model.keys import photo_key, tryon_key
from tests import faces
from tests.e2e.conftest import Platform, wait_until
from tests.sse import events_of

pytestmark = pytest.mark.timeout(300)

PATH = "/api/tryon/sessions"
# by the clock of the database, so that the sweep finds it at its next turn
LET_EXPIRE = """
    WITH session AS (UPDATE tryon_sessions SET expires_at = now() - interval '1 hour' WHERE id = %s RETURNING id)
    UPDATE uploads SET expires_at = now() - interval '1 hour'
    FROM session JOIN jobs ON jobs.id = session.id WHERE uploads.id = jobs.upload_id RETURNING uploads.id::text
"""


@pytest.fixture
def anybody(platform: Platform) -> Iterator[httpx.Client]:
    """A browser without a credential."""
    with httpx.Client(base_url=platform.environment["MIEN_URL"], timeout=60) as client:
        yield client


def begin(client: httpx.Client, photo: bytes, **fields: str) -> str:
    """Send a photo as a browser's form does; the session's id."""
    answer = client.post(PATH, files={"image": ("me.jpg", photo)}, data={"user_token": "visitor-1", **fields})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["status"], body["message"]) == ("created", "Session created successfully")
    session_id: str = body["session_id"]
    return session_id


def followed(client: httpx.Client, session_id: str) -> list[str]:
    """The states that a session goes through, to its end."""
    with client.stream("GET", f"/jobs/{session_id}/events", timeout=120) as stream:
        assert stream.status_code == 200
        return [event.name for event in events_of("".join(stream.iter_text()))]


def session(client: httpx.Client, session_id: str) -> dict[str, Any]:
    answer = client.get(f"{PATH}/{session_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def there(platform: Platform, *keys: str) -> set[str]:
    """Those of the keys that the store has."""
    store, bucket = platform.s3(), platform.environment["MIEN_S3__BUCKET"]
    found = (store.list_objects_v2(Bucket=bucket, Prefix=key) for key in keys)
    return {entry["Key"] for listed in found for entry in listed.get("Contents", [])}


def test_a_visitor_gets_their_photo_with_a_look_on_it(platform: Platform, anybody: httpx.Client) -> None:
    """Sent, followed by its id, and fetched: a WebP of the photo's size, other than the photo where the lips are."""
    photo = faces.astronaut_portrait()
    session_id = begin(anybody, faces.jpeg_bytes(photo), look="classic-red")
    states = followed(anybody, session_id)
    assert (states[0], states[-1]) == ("created", "completed")
    body = session(anybody, session_id)
    assert (body["id"], body["status"], body["error_reason"]) == (session_id, "completed", None)
    assert body["progress_message"]
    answer = httpx.get(body["output_image_url"], timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(answer.content)) as image:
        shown = np.asarray(image.convert("RGB"), dtype=np.int16)
    assert shown.shape == photo.shape
    difference = np.abs(shown - photo).mean(axis=-1)
    assert np.median(difference) < 4
    assert difference.max() > 40
    rows = platform.query(
        "SELECT status, user_token, expires_at - created_at = interval '24 hours' FROM tryon_sessions WHERE id = %s",
        session_id,
    )
    assert rows == [("completed", "visitor-1", True)]
    assert anybody.get(f"/jobs/{session_id}").json()["kind"] == "render-tryon"


def test_a_photo_without_a_face_says_so(platform: Platform) -> None:
    """The session failed for no_face, with words for people; there is no picture. A credential does no harm."""
    session_id = begin(platform.client, faces.jpeg_bytes(faces.no_face()))
    assert followed(platform.client, session_id)[-1] == "failed"
    body = session(platform.client, session_id)
    assert (body["status"], body["error_reason"], body["output_image_url"]) == ("failed", "no_face", None)
    assert "face" in body["progress_message"]
    assert there(platform, tryon_key(session_id)) == set()
    assert platform.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_another_visitors_session_needs_its_id(platform: Platform, anybody: httpx.Client) -> None:
    """A session with a credential is not to be had without it, nor is its job."""
    session_id = begin(platform.client, faces.jpeg_bytes(faces.astronaut()))
    assert anybody.get(f"{PATH}/{session_id}").status_code == 404
    assert anybody.get(f"/jobs/{session_id}").status_code == 401
    assert platform.client.get(f"{PATH}/{session_id}").status_code == 200


def test_a_day_later_nothing_is_left(platform: Platform) -> None:
    """An expired session is 404 at once; the sweep then takes photo, picture and all rows, and leaves the others'."""
    photo = faces.jpeg_bytes(faces.astronaut())
    over, kept = begin(platform.client, photo), begin(platform.client, photo)
    for session_id in (over, kept):
        assert followed(platform.client, session_id)[-1] == "completed"
    [(upload_id,)] = platform.query(LET_EXPIRE, over)
    assert platform.client.get(f"{PATH}/{over}").json()["code"] == "session_not_found"
    left = "SELECT (SELECT count(*) FROM uploads WHERE id = %s) + (SELECT count(*) FROM jobs WHERE id = %s)"
    wait_until(lambda: platform.query(left, upload_id, over) == [(0,)], 90, "the sweep took the rows")
    assert there(platform, photo_key(upload_id), tryon_key(over)) == set()
    assert platform.query("SELECT count(*) FROM tryon_sessions WHERE id = %s", over) == [(0,)]
    assert platform.client.get(f"/jobs/{over}").status_code == 404
    assert session(platform.client, kept)["status"] == "completed"
    assert there(platform, tryon_key(kept)) == {tryon_key(kept)}


def test_an_address_is_told_when_it_comes_too_often(anybody: httpx.Client) -> None:
    """429 with Retry-After after ten requests in a minute, which are counted by address and not by visitor."""
    nobody = f"{PATH}/00000000-0000-0000-0000-000000000000"
    wait_until(lambda: anybody.get(nobody).status_code == 429, 120, "an address has called ten times in a minute")
    refused = anybody.get(nobody)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["RateLimit-Policy"] == '"tryon-anonymous";q=10;w=60'
    assert 0 < int(refused.headers["Retry-After"]) <= 60
