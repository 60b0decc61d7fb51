"""Glow Cycle on the whole platform: a user's month as its frontend has it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)

TODAY = date(2026, 11, 20)
# the first days of three cycles of 28 days; TODAY is day 20 of the last one
BEGINNINGS = [date(2026, 9, 6), date(2026, 10, 4), date(2026, 11, 1)]
METRICS = {"radiance", "moisture", "texture", "pores", "darkCircles"}


@pytest.fixture
def user() -> str:
    """Somebody whom no other test knows."""
    return f"anna-{uuid4()}"


def own(tag: int) -> bytes:
    """A portrait that no other test has sent: one corner differs."""
    picture = faces.astronaut_1080p()
    picture[:16, :16] = np.random.default_rng(1000 + tag).integers(0, 255, (16, 16, 3), np.uint8)
    return faces.jpeg_bytes(picture)


def made(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bled(platform: Platform, user: str) -> None:
    for beginning in BEGINNINGS:
        for day in range(4):
            flow = "heavy" if day == 1 else "light"
            body = {"userId": user, "date": str(beginning + timedelta(days=day)), "flow": flow, "symptoms": ["cramps"]}
            made(platform.client.post("/period", json=body))


def scan(platform: Platform, user: str, photo: bytes, day: date = TODAY, prefer: str = "wait=60") -> httpx.Response:
    """Send a photo as a browser's form does."""
    data = {"userId": user, "date": str(day)}
    return platform.client.post(
        "/skin/analyze", files={"image": ("me.jpg", photo)}, data=data, headers={"Prefer": prefer}, timeout=90
    )


def lines(platform: Platform, user: str) -> list[dict[str, Any]]:
    """The user's skin diary."""
    found: list[dict[str, Any]] = platform.client.get(f"/skin/user/{user}").json()["scans"]
    return found


def test_a_journal_is_written_mended_and_searched(platform: Platform, user: str) -> None:
    """The log tells the days of the cycle; who knows an old version is stopped; tags and pages find all entries."""
    bled(platform, user)
    entries = []
    for number, (mood, tags) in enumerate([("calm", ["sleep"]), ("tired", ["work"]), ("calm", ["sleep", "run"])]):
        day = TODAY - timedelta(days=2 - number)
        body = {"userId": user, "date": str(day), "mood": mood, "energy": 50 + 10 * number, "text": "…", "tags": tags}
        entries.append(made(platform.client.post("/journal", json=body)))
    assert [entry["cycleDay"] for entry in entries] == [18, 19, 20]
    path, mended = f"/journal/{entries[0]['entryId']}", {"date": str(TODAY), "text": "Slept late.", "tags": ["sleep"]}
    first = platform.client.put(path, json=mended, headers={"If-Match": entries[0]["etag"]})
    assert made(first, 200)["cycleDay"] == 20
    stale = platform.client.put(path, json=mended, headers={"If-Match": entries[0]["etag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "etag_mismatch")
    assert platform.client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query: Mapping[str, str] = {"tag": "sleep", "limit": "1", "cursor": cursor}
        page = made(platform.client.get(f"/journal/user/{user}", params=query), 200)
        found += [entry["entryId"] for entry in page["entries"]]
        cursor = page["nextCursor"]
    assert set(found) == {entries[0]["entryId"], entries[2]["entryId"]}
    assert len(found) == 2


def test_the_next_period_is_predicted(platform: Platform, user: str) -> None:
    """From three logged ones: about when it is due, with an interval, an ovulation before it, and what it is not."""
    bled(platform, user)
    body = made(platform.client.get(f"/period/predictions/{user}", params={"today": str(TODAY)}), 200)
    due = date.fromisoformat(body["nextPeriod"]["date"])
    assert abs(due - (BEGINNINGS[-1] + timedelta(days=28))) <= timedelta(days=2)
    assert body["nextPeriod"]["interval"]["from"] <= str(due) <= body["nextPeriod"]["interval"]["to"]
    assert body["ovulation"]["date"] < str(due)
    assert (body["cycleDay"], body["basedOn"]["cycles"]) == (20, 2)
    assert "not for contraception" in body["notice"]


def test_a_photo_becomes_a_line_of_the_skin_diary(platform: Platform, user: str) -> None:
    """Its metrics, its day of the cycle, and how it differs from the last cycle's; sent or uploaded, each once."""
    bled(platform, user)
    before = {"userId": user, "date": str(TODAY - timedelta(days=28)), "metrics": {"radiance": 50, "texture": 0}}
    made(platform.client.post("/skin", json=before))
    sent = made(scan(platform, user, own(1)), 200)
    assert set(sent["metrics"]) == set(sent["change"]) == METRICS
    known = {name: value for name, value in sent["metrics"].items() if value is not None}
    assert "radiance" in known
    assert all(0 <= value <= 100 for value in known.values())
    assert (sent["userId"], sent["date"], sent["cycleDay"]) == (user, str(TODAY), 20)
    assert sent["change"]["radiance"] == pytest.approx(sent["metrics"]["radiance"] - 50, abs=0.06)
    assert sent["change"]["moisture"] is None
    assert sent["notice"] == "An appearance measure, not a diagnosis."

    photo = own(2)
    announced = {"contentType": "image/jpeg", "contentLength": len(photo), "purpose": "cycle", "userId": user}
    upload = made(platform.client.post("/upload-url", json=announced), 200)
    httpx.request(
        upload["method"], upload["uploadUrl"], headers=upload["headers"], content=photo, timeout=60
    ).raise_for_status()
    order = {"uploadId": upload["uploadId"], "userId": user, "date": str(TODAY)}
    asked = [
        made(platform.client.post("/skin/analyze", json=order, headers={"Prefer": "wait=60"}, timeout=90), 200)
        for _ in range(2)
    ]
    assert asked[0] == asked[1]
    assert {line["scanId"] for line in lines(platform, user)} > {sent["scanId"], asked[0]["scanId"]}
    assert len(lines(platform, user)) == 3


def test_who_does_not_wait_finds_the_scan_later(platform: Platform, user: str) -> None:
    """202 with the job; the line is written whether or not somebody asks for it."""
    early = scan(platform, user, own(3), prefer="wait=0")
    scan_id = made(early, 202)["scanId"]
    wait_until(lambda: len(lines(platform, user)) == 1, 90, "the line is in the diary")
    assert platform.client.get(early.headers["Location"]).json()["status"] == "completed"
    later = made(platform.client.get(f"/skin/analyze/{scan_id}"), 200)
    assert (later["scanId"], later["change"]) == (scan_id, None)
    assert [line["scanId"] for line in lines(platform, user)] == [scan_id]


def test_a_photo_without_a_face_adds_nothing(platform: Platform, user: str) -> None:
    """422 with what to do, and the diary stays as it is."""
    answer = scan(platform, user, faces.jpeg_bytes(faces.cat()))
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face")
    assert lines(platform, user) == []


def test_an_insight_is_told_of_the_month(platform: Platform, user: str) -> None:
    """Without a language model the rules tell it, and it says so; it is in the list, once."""
    bled(platform, user)
    entry = {"userId": user, "date": str(TODAY), "mood": "calm", "energy": 60, "text": "Slept well.", "tags": ["sleep"]}
    made(platform.client.post("/journal", json=entry))
    order = {"userId": user, "from": "2026-11-01", "to": str(TODAY)}
    headers = {"Prefer": "wait=60", "Idempotency-Key": str(uuid4())}
    told = made(platform.client.post("/insights", json=order, headers=headers, timeout=90), 200)
    assert (told["engine"], told["model"]) == ("summary", None)
    assert "1 journal entry and 4 days of bleeding" in told["text"]
    assert "20 November 2026 is day 20 of your cycle" in told["text"]
    assert "without a language model" in told["notice"]
    assert made(platform.client.post("/insights", json=order, headers=headers, timeout=90), 200) == told
    page = made(platform.client.get(f"/insights/{user}"), 200)
    assert page == {"insights": [told], "nextCursor": None}
