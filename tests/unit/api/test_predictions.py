"""Glow Cycle's predictions, as its frontend gets them."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

TODAY = date(2026, 11, 20)


async def logged(client: httpx.AsyncClient, *days: date, user_id: str = "anna", **fields: Any) -> None:
    for day in days:
        answer = await client.post("/period", json={"userId": user_id, "date": day.isoformat(), **fields})
        assert answer.is_success, answer.text


async def predicted(client: httpx.AsyncClient, user_id: str = "anna", today: date = TODAY) -> dict[str, Any]:
    answer = await client.get(f"/period/predictions/{user_id}", params={"today": today.isoformat()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-cache"
    body: dict[str, Any] = answer.json()
    return body


async def test_the_first_log_is_enough(client: httpx.AsyncClient) -> None:
    """All fields of the contract, sensible after one logged day, and a notice that it is an estimate."""
    await logged(client, TODAY - timedelta(days=9))
    body = await predicted(client)
    assert set(body) == {
        "userId",
        "cycleDay",
        "nextPeriod",
        "ovulation",
        "fertileWindow",
        "cycleLength",
        "basedOn",
        "method",
        "notice",
    }
    assert (body["userId"], body["cycleDay"]) == ("anna", 10)
    due = date.fromisoformat(body["nextPeriod"]["date"])
    interval = body["nextPeriod"]["interval"]
    assert TODAY + timedelta(days=12) <= due <= TODAY + timedelta(days=30)
    assert (set(interval), interval["level"]) == ({"level", "from", "to"}, 0.8)
    assert interval["from"] <= due.isoformat() <= interval["to"]
    assert sum(chance["p"] for chance in body["ovulation"]["distribution"]) == pytest.approx(1)
    assert body["fertileWindow"]["from"] < body["ovulation"]["date"] <= body["fertileWindow"]["to"]
    assert body["basedOn"] == {"cycles": 0, "skipsLikely": 0}
    assert "not for contraception" in body["notice"]


async def test_what_was_logged_tells_one_user_from_another(client: httpx.AsyncClient) -> None:
    """Long cycles make a later date than short ones; a log of somebody else's changes nothing."""
    await logged(client, *(TODAY - timedelta(days=5 + 24 * back) for back in range(8)))
    before = await predicted(client)
    await logged(client, *(TODAY - timedelta(days=5 + 34 * back) for back in range(8)), user_id="berta")
    assert await predicted(client) == before
    berta = await predicted(client, "berta")
    assert berta["cycleLength"]["mean"] - before["cycleLength"]["mean"] > 8
    assert berta["nextPeriod"]["date"] > before["nextPeriod"]["date"]


async def test_a_length_that_the_user_says_counts(client: httpx.AsyncClient) -> None:
    """Until there is a log, who knows their cycles to be long is believed."""
    await logged(client, TODAY, user_id="anna")
    await logged(client, TODAY, user_id="berta", cycleLength=38)
    anna, berta = await predicted(client), await predicted(client, "berta")
    assert berta["nextPeriod"]["date"] > anna["nextPeriod"]["date"]


async def test_without_a_log_there_are_no_dates(client: httpx.AsyncClient) -> None:
    """Nor after half a year without one; what isn't known is null, and the length is the population's."""
    nothing = await predicted(client)
    await logged(client, TODAY - timedelta(days=200), user_id="berta")
    for body in (nothing, await predicted(client, "berta")):
        assert [body[part] for part in ("cycleDay", "nextPeriod", "ovulation", "fertileWindow")] == [None] * 4
        assert 25 < body["cycleLength"]["mean"] < 35


@pytest.mark.parametrize("today", ["0001-01-01", "9999-12-31", "2026-02-30", "yesterday"])
async def test_a_day_that_cannot_be_is_refused(client: httpx.AsyncClient, today: str) -> None:
    """The ends of time among them: 422 with a pointer to it, never a fault of ours."""
    answer = await client.get("/period/predictions/anna", params={"today": today})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "today" in answer.json()["errors"][0]["pointer"]
