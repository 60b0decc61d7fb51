"""Glow Cycle's diaries: the journal, the log of periods, the skin diary."""

from collections.abc import Awaitable, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import pytest

from mien_api.cycle_handlers import CycleHandlers
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Missing
from mien_core.model.cycle import EVERY_DAY, DiaryMetrics, JournalContent
from mien_core.model.platform import Caller
from tests.unit.api.conftest import Platform

DAY = date(2026, 11, 20)

ENTRY: dict[str, Any] = {
    "userId": "anna",
    "date": "2026-11-20",
    "mood": "calm",
    "energy": 70,
    "text": "Slept well.",
    "tags": ["sleep", "tea"],
    "cycleDay": 4,
}
METRICS = {"radiance": 62.5, "moisture": 55, "texture": 70.25, "pores": None, "darkCircles": 80}
PERIOD = {"userId": "anna", "date": "2026-11-20"}
SCAN = {"userId": "anna", "date": "2026-11-20", "metrics": METRICS}
CREATIONS: Mapping[str, dict[str, Any]] = {"/journal": ENTRY, "/period": PERIOD, "/skin": SCAN}
LISTS = {"/journal": "entries", "/period": "periods", "/skin": "scans"}


def without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


async def created(client: httpx.AsyncClient, path: str = "/journal", **fields: Any) -> dict[str, Any]:
    answer = await client.post(path, json={**CREATIONS[path], **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def listed(client: httpx.AsyncClient, path: str, user_id: str = "anna", **query: Any) -> list[dict[str, Any]]:
    """The whole list, over as many pages as it takes."""
    found: list[dict[str, Any]] = []
    cursor, cursors = "", set[str]()
    while True:
        answer = await client.get(f"{path}/user/{user_id}", params={**query, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        found += answer.json()[LISTS[path]]
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            return found
        assert cursor not in cursors
        cursors.add(cursor)


async def test_a_journal_entry_is_written_read_and_deleted(client: httpx.AsyncClient) -> None:
    """The answer has the contract's fields and is found under its Location until it is deleted."""
    answer = await client.post("/journal", json=ENTRY)
    body = answer.json()
    assert answer.status_code == 201
    assert without(body, "entryId", "etag", "createdAt", "updatedAt") == ENTRY
    assert answer.headers["Location"] == f"/journal/{body['entryId']}"
    assert answer.headers["ETag"] == body["etag"]
    found = await client.get(answer.headers["Location"])
    assert (found.status_code, found.json(), found.headers["ETag"]) == (200, body, body["etag"])
    assert found.headers["Cache-Control"] == "private, no-cache"
    assert (await client.delete(answer.headers["Location"])).status_code == 204
    for gone in (await client.get(answer.headers["Location"]), await client.delete(answer.headers["Location"])):
        assert (gone.status_code, gone.json()["code"]) == (404, "entry_not_found")


async def test_only_user_and_date_are_needed(client: httpx.AsyncClient) -> None:
    """What isn't said is null or empty, and null says nothing, too."""
    nothing = dict.fromkeys(("mood", "energy", "text", "cycleDay"))
    for fields in ({}, nothing):
        answer = await client.post("/journal", json={"userId": "anna", "date": "2026-11-20T23:30:00-05:00", **fields})
        body = answer.json()
        assert answer.status_code == 201
        assert {name: body[name] for name in ("mood", "energy", "text", "tags", "cycleDay", "date")} == {
            "mood": None,
            "energy": None,
            "text": "",
            "tags": [],
            "cycleDay": None,
            "date": "2026-11-20",
        }


async def test_an_entry_is_written_anew_as_a_whole(client: httpx.AsyncClient) -> None:
    """What is left out is gone; whose it is and the rest of what isn't a field is passed over."""
    entry = await created(client)
    body = {"date": "2026-11-21", "text": "New.", "userId": "berta", "entryId": "x"}
    answer = await client.put(f"/journal/{entry['entryId']}", json=body)
    assert answer.status_code == 200
    assert without(answer.json(), "etag", "createdAt", "updatedAt") == {
        "entryId": entry["entryId"],
        "userId": "anna",
        "date": "2026-11-21",
        "mood": None,
        "energy": None,
        "text": "New.",
        "tags": [],
        "cycleDay": None,
    }
    assert (await client.get(f"/journal/{entry['entryId']}")).json() == answer.json()


async def test_who_knows_an_old_version_changes_nothing(client: httpx.AsyncClient) -> None:
    """412 to the second of two who read the same version, 200 to those who know the present one or don't ask."""
    entry = await created(client)
    path, old = f"/journal/{entry['entryId']}", entry["etag"]
    first = await client.put(path, json={**ENTRY, "text": "first"}, headers={"If-Match": old})
    second = await client.put(path, json={**ENTRY, "text": "second"}, headers={"If-Match": old})
    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 412, "etag_mismatch")
    assert second.headers["Content-Type"] == "application/problem+json"
    deletion = await client.delete(path, headers={"If-Match": old})
    assert (deletion.status_code, deletion.json()["code"]) == (412, "etag_mismatch")
    assert (await client.get(path)).json() == first.json()
    for condition in (first.headers["ETag"], "*"):
        answer = await client.put(path, json=ENTRY, headers={"If-Match": condition})
        assert answer.status_code == 200
    assert (await client.put(path, json=ENTRY)).status_code == 200
    assert (await client.delete(path, headers={"If-Match": '"5-4"'})).status_code == 204
    # what isn't there is missing, whatever is known of it
    assert (await client.put(path, json=ENTRY, headers={"If-Match": old})).status_code == 404


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """304 without a body while the ETag is current, also where the day of the cycle is what changes it."""
    entry = await created(client, cycleDay=None)
    path = f"/journal/{entry['entryId']}"
    same = await client.get(path, headers={"If-None-Match": f'"x", {entry["etag"]}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", entry["etag"])
    assert same.headers["Cache-Control"] == "private, no-cache"
    await created(client, "/period")
    changed = await client.get(path, headers={"If-None-Match": entry["etag"]})
    assert (changed.status_code, changed.json()["cycleDay"]) == (200, 1)
    # the log was written, not the entry: what was read before may still be written over
    assert (await client.put(path, json=ENTRY, headers={"If-Match": entry["etag"]})).status_code == 200


async def test_the_day_of_the_cycle_is_told_by_the_log(client: httpx.AsyncClient) -> None:
    """Where it is absent, each time anew, also after the log was mended; what the user says stays."""
    told = await created(client, cycleDay=None, date="2026-11-10")
    said = await created(client, cycleDay=9, date="2026-11-10")
    scan = await created(client, "/skin", date="2026-11-05")
    assert (told["cycleDay"], said["cycleDay"], scan["cycleDay"]) == (None, 9, None)
    for day in ("2026-11-01", "2026-11-02"):
        period = await created(client, "/period", date=day)
    await created(client, "/period", userId="berta", date="2026-11-08")
    days = {entry["entryId"]: entry["cycleDay"] for entry in await listed(client, "/journal")}
    assert days == {told["entryId"]: 10, said["entryId"]: 9}
    assert [one["cycleDay"] for one in await listed(client, "/skin")] == [5]
    assert (await created(client, cycleDay=None, date="2026-11-11"))["cycleDay"] == 11
    assert (await created(client, "/skin", date="2026-11-02"))["cycleDay"] == 2
    assert (await client.put(f"/journal/{told['entryId']}", json={"date": "2026-11-04"})).json()["cycleDay"] == 4
    assert (await client.delete(f"/period/{period['periodId']}")).status_code == 204
    await created(client, "/period", date="2026-10-30")
    assert (await client.get(f"/journal/{told['entryId']}")).json()["cycleDay"] == 6


async def test_a_day_that_is_logged_again_is_replaced(client: httpx.AsyncClient) -> None:
    """201, then 200 under the same id with what was said last."""
    said = {"cycleLength": 29, "flow": "medium", "symptoms": ["cramps", "cramps", "fatigue"]}
    first = await client.post("/period", json={**PERIOD, **said})
    assert (first.status_code, without(first.json(), "periodId", "createdAt")) == (
        201,
        {**PERIOD, **said, "symptoms": ["cramps", "fatigue"]},
    )
    second = await client.post("/period", json=PERIOD)
    assert (second.status_code, second.json()["periodId"]) == (200, first.json()["periodId"])
    assert [one["flow"] for one in await listed(client, "/period")] == [None]
    path = f"/period/{first.json()['periodId']}"
    assert [(await client.delete(path)).status_code for _ in range(2)] == [204, 404]
    assert await listed(client, "/period") == []


async def test_the_skin_diary_keeps_metrics(client: httpx.AsyncClient) -> None:
    """As they were sent; what is left out is null. A line can be deleted."""
    scan = await created(client, "/skin")
    assert without(scan, "scanId", "createdAt", "notice") == {**SCAN, "cycleDay": None}
    assert scan["notice"] == "An appearance measure, not a diagnosis."
    partly = await created(client, "/skin", metrics={"pores": 0})
    assert partly["metrics"] == {**dict.fromkeys(METRICS), "pores": 0}
    assert await listed(client, "/skin") == [partly, scan]
    assert [(await client.delete(f"/skin/{scan['scanId']}")).status_code for _ in range(2)] == [204, 404]
    assert await listed(client, "/skin") == [partly]


@pytest.mark.parametrize("path", LISTS)
async def test_lists_are_newest_first_in_pages(client: httpx.AsyncClient, path: str) -> None:
    """Laid together, pages of any size are the list; from and to are both included."""
    days = [f"2026-11-{number:02}" for number in (3, 9, 1, 7, 5)]
    for day in days:
        await created(client, path, date=day)
    assert [one["date"] for one in await listed(client, path)] == sorted(days, reverse=True)
    for limit in (1, 2, 5, 100):
        assert await listed(client, path, limit=limit) == await listed(client, path)
    some = await listed(client, path, limit=2, **{"from": "2026-11-03", "to": "2026-11-07"})
    assert [one["date"][-2:] for one in some] == ["07", "05", "03"]
    assert await listed(client, path, **{"from": "2026-11-07", "to": "2026-11-03"}) == []
    assert await listed(client, path, "nobody") == []


async def test_of_one_day_the_later_entry_comes_first(client: httpx.AsyncClient) -> None:
    """Also over pages."""
    entries = [await created(client, text=str(number)) for number in range(4)]
    for limit in (1, 3, 4):
        assert await listed(client, "/journal", limit=limit) == entries[::-1]


async def test_the_journal_is_filtered_by_tag(client: httpx.AsyncClient) -> None:
    """A whole tag, over pages."""
    for number, tags in enumerate([["a"], ["b"], ["a", "b"], ["ab"], ["a"]]):
        await created(client, tags=tags, text=str(number))
    assert [one["text"] for one in await listed(client, "/journal", tag="a", limit=1)] == ["4", "2", "0"]
    assert await listed(client, "/journal", tag="c") == []


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_of_elsewhere_is_refused(platform: Platform, client: httpx.AsyncClient, path: str) -> None:
    """Another list's, another user's, another tenant's, another filter's, and garbage: 400 invalid_cursor."""
    for user_id in ("anna", "berta"):
        for day in ("2026-11-19", "2026-11-20"):
            for one in LISTS:
                await created(client, one, userId=user_id, date=day)
    other_path = "/skin" if path == "/period" else "/period"
    elsewhere = [
        f"{other_path}/user/anna?limit=1",
        f"{path}/user/berta?limit=1",
        f"{path}/user/anna?limit=1&from=2026-11-01",
    ]
    cursors = [(await client.get(url)).json()["nextCursor"] for url in elsewhere]
    async with platform.client(await platform.secret("other")) as other:
        for day in ("2026-11-19", "2026-11-20"):
            await created(other, path, date=day)
        cursors.append((await other.get(f"{path}/user/anna?limit=1")).json()["nextCursor"])
    assert all(cursors)
    for cursor in [*cursors, "x", "%00"]:
        answer = await client.get(f"{path}/user/anna?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    own = (await client.get(f"{path}/user/anna?limit=1")).json()["nextCursor"]
    assert (await client.get(f"{path}/user/anna?cursor={own}&limit=2")).status_code == 200


async def test_others_diaries_do_not_exist(platform: Platform, client: httpx.AsyncClient) -> None:
    """Another tenant finds and changes nothing, and its user of the same name has lists of their own."""
    entry, period, scan = [await created(client, path) for path in LISTS]
    paths = [f"/journal/{entry['entryId']}", f"/period/{period['periodId']}", f"/skin/{scan['scanId']}"]
    async with platform.client(await platform.secret("other")) as other:
        answers = [
            await other.get(paths[0]),
            await other.put(paths[0], json=ENTRY),
            await other.put(paths[0], json=ENTRY, headers={"If-Match": '"9"'}),
            *[await other.delete(path) for path in paths],
        ]
        assert [answer.status_code for answer in answers] == [404] * 6
        for path in LISTS:
            assert await listed(other, path) == []
        # a log elsewhere tells nothing of this user's cycle
        assert (await created(other, cycleDay=None))["cycleDay"] is None
    unknown = await client.get(f"/journal/{uuid4()}")
    assert without(answers[0].json(), "request_id") == without(unknown.json(), "request_id")
    assert (await client.get(paths[0])).json() == entry


async def test_a_key_needs_the_scope(platform: Platform) -> None:
    """403 to a key of another application, 401 without one, on every operation."""
    entry_id = uuid4()
    calls = [
        *[("POST", path) for path in LISTS],
        *[("GET", f"{path}/user/anna") for path in LISTS],
        *[("DELETE", f"{path}/{entry_id}") for path in LISTS],
        ("GET", f"/journal/{entry_id}"),
        ("PUT", f"/journal/{entry_id}"),
    ]
    for authorization, status in ((await platform.secret(scopes="glam"), 403), (None, 401)):
        async with platform.client(authorization) as client:
            for method, path in calls:
                body = ENTRY | SCAN if method in {"POST", "PUT"} else None
                assert (await client.request(method, path, json=body)).status_code == status
    async with platform.client(await platform.secret(scopes="cycle")) as client:
        await created(client)


LONG = "x" * 10_001
WRONG: list[tuple[str, str, Any, str]] = [
    ("/journal", "userId", None, "/userId"),
    ("/journal", "userId", "a\x00b", "/userId"),
    ("/journal", "userId", "", "/userId"),
    ("/journal", "date", "2026-02-30", "/date"),
    ("/journal", "date", "0026-11-20", "/date"),
    ("/journal", "date", 20261120, "/date"),
    ("/journal", "energy", 100.5, "/energy"),
    ("/journal", "energy", -1, "/energy"),
    ("/journal", "energy", "50", "/energy"),
    ("/journal", "energy", True, "/energy"),
    ("/journal", "mood", "a\x00", "/mood"),
    ("/journal", "mood", 5, "/mood"),
    ("/journal", "mood", "x" * 65, "/mood"),
    ("/journal", "text", "a\x00b", "/text"),
    ("/journal", "text", LONG, "/text"),
    ("/journal", "text", ["x"], "/text"),
    ("/journal", "tags", "sleep", "/tags"),
    ("/journal", "tags", ["a", "b\x00"], "/tags/1"),
    ("/journal", "tags", ["a", ""], "/tags/1"),
    ("/journal", "tags", ["a", None], "/tags/1"),
    ("/journal", "tags", ["a"] * 10_000, "/tags"),
    ("/journal", "tags", {"a": 1}, "/tags"),
    ("/journal", "cycleDay", 0, "/cycleDay"),
    ("/journal", "cycleDay", 367, "/cycleDay"),
    ("/journal", "cycleDay", 1.5, "/cycleDay"),
    ("/journal", "cycleDay", "4", "/cycleDay"),
    ("/journal", "cycleDay", 10**30, "/cycleDay"),
    ("/period", "date", None, "/date"),
    ("/period", "flow", "torrential", "/flow"),
    ("/period", "cycleLength", 0, "/cycleLength"),
    ("/period", "cycleLength", "28", "/cycleLength"),
    ("/period", "symptoms", ["x"] * 51, "/symptoms"),
    ("/period", "symptoms", ["\x07"], "/symptoms/0"),
    ("/skin", "metrics", None, "/metrics"),
    ("/skin", "metrics", [], "/metrics"),
    ("/skin", "metrics", {"pores": 101}, "/metrics/pores"),
    ("/skin", "metrics", {"darkCircles": "80"}, "/metrics/darkCircles"),
    ("/skin", "metrics", {"radiance": -0.1}, "/metrics/radiance"),
    ("/skin", "cycleDay", -3, "/cycleDay"),
]


@pytest.mark.parametrize(("path", "name", "wrong", "pointer"), WRONG)
async def test_a_wrong_field_is_pointed_at(
    client: httpx.AsyncClient, path: str, name: str, wrong: Any, pointer: str
) -> None:
    """422 with a JSON pointer, from POST and from PUT alike, and nothing is saved."""
    body = {**CREATIONS[path], name: wrong}
    answers = [await client.post(path, json=body)]
    if path == "/journal" and name != "userId":
        entry = await created(client)
        answers.append(await client.put(f"/journal/{entry['entryId']}", json=body))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert len(await listed(client, path)) == len(answers) - 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"userId": "anna", "date": "2026-11-20", "text": "\\ud800"}', 422),
        (b'{"userId": "anna", "date": "2026-11-20", "tags": ["\\udfff"]}', 422),
        (b'{"userId": "\\ud800", "date": "2026-11-20"}', 422),
        (b'{"userId": "anna", "date": "2026-11-20", "energy": NaN}', 422),
        (b'{"userId": "anna", "date": "2026-11-20", "energy": 1e999}', 422),
        (b'{"userId": "anna", "date": "2026-11-20", "cycleDay": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 60_000, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"", 422),
        (b"{", 400),
        (b'{"userId": "\xff"}', 400),
        (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
async def test_a_broken_body_is_refused(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    """Halves of characters, numbers that are none, what is nested too deep, what is too long: a problem each."""
    answer = await client.post("/journal", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] not in {"bad_request", "internal_error"}


async def test_every_character_that_is_one_is_kept(client: httpx.AsyncClient) -> None:
    """Marks that turn the direction of writing, emoji, line breaks in texts; unknown fields are passed over."""
    text = "\u200f\u05d0\u202e\u2067 👩🏾\u200d🔬\r\n\t\u0001 \ufeff\uffff e\u0301 é '; DROP TABLE users; -- %s {}"
    tags = ["\u200f\u05d0", "🙂", "a b", "{a,b}", "é", "e\u0301", "null"]
    entry = await created(client, text=text, tags=tags, unknown={"a": [1]}, userId="anna|1 @é")
    assert (entry["text"], entry["tags"], entry["userId"]) == (text, tags, "anna|1 @é")
    for tag in tags:
        assert [one["tags"] for one in await listed(client, "/journal", "anna|1 @é", tag=tag)] == [tags]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=101", "/query/limit"),
        ("limit=x", "/query/limit"),
        ("from=yesterday", "/query/from"),
        ("to=2100-01-01", "/query/to"),
        ("tag=%00", "/query/tag"),
        ("tag=", "/query/tag"),
        (f"cursor={'x' * 513}", "/query/cursor"),
    ],
)
async def test_a_wrong_query_is_pointed_at(client: httpx.AsyncClient, query: str, pointer: str) -> None:
    """422, naming the parameter."""
    answer = await client.get(f"/journal/user/anna?{query}")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_wrong_path_is_refused(client: httpx.AsyncClient) -> None:
    """An id that can't be one, and a user whose name no database could hold."""
    for path in ("/journal/x", "/journal/user/%00", "/period/user/a%1fb", f"/skin/user/{'x' * 256}"):
        assert (await client.get(path)).status_code in {405, 422}
    for path in LISTS:
        assert (await client.delete(f"{path}/x")).status_code == 422


async def test_a_user_acts_for_themselves_alone() -> None:
    """Whose credential is one user's finds no other user, and none of another user's things, in any call."""
    handlers = CycleHandlers(MemoryDatabase())
    anna, berta = Caller("acme", "anna"), Caller("acme", "berta")
    said = JournalContent(DAY, mood=None, energy=None, text="", tags=(), cycle_day=None)
    metrics = DiaryMetrics(None, None, None, None, None)
    shown = await handlers.write_entry(anna, "anna", said)
    period, _ = await handlers.log_period(anna, "anna", day=DAY, cycle_length=None, flow=None, symptoms=())
    scan = await handlers.add_scan(anna, "anna", day=DAY, metrics=metrics, cycle_day=None)
    page: dict[str, Any] = {"days": EVERY_DAY, "cursor": None, "limit": 5}
    attempts: list[Awaitable[object]] = [
        handlers.write_entry(berta, "anna", said),
        handlers.entry(berta, shown.thing.id),
        handlers.rewrite_entry(berta, shown.thing.id, said, None),
        handlers.rewrite_entry(berta, shown.thing.id, said, {7}),
        handlers.remove_entry(berta, shown.thing.id, None),
        handlers.journal(berta, "anna", tag=None, **page),
        handlers.log_period(berta, "anna", day=DAY, cycle_length=None, flow=None, symptoms=()),
        handlers.remove_period(berta, period.id),
        handlers.periods(berta, "anna", **page),
        handlers.add_scan(berta, "anna", day=DAY, metrics=metrics, cycle_day=None),
        handlers.remove_scan(berta, scan.thing.id),
        handlers.scans(berta, "anna", **page),
    ]
    for attempt in attempts:
        with pytest.raises(Missing):
            await attempt
    assert (await handlers.journal(anna, "anna", tag=None, **page)).things == [
        await handlers.entry(anna, shown.thing.id)
    ]
    assert len((await handlers.periods(anna, "anna", **page)).things) == 1
    assert len((await handlers.scans(anna, "anna", **page)).things) == 1


@pytest.mark.parametrize(("asked", "expected"), [("08-18", 90), ("08-19", None)])
async def test_a_log_of_long_ago_is_looked_at(client: httpx.AsyncClient, asked: str, expected: int | None) -> None:
    """As far back as days are told, and for a page as far back as its oldest entry needs."""
    for day in ("05-21", "01-30", "02-03"):
        await created(client, "/period", date=f"2026-{day}")
    await created(client, date=f"2026-{asked}", cycleDay=None)
    await created(client, date="2026-02-04", cycleDay=None)
    assert [one["cycleDay"] for one in await listed(client, "/journal")] == [expected, 6]
