"""Glow Cycle's operations."""

from mien_core.model.insights import Words
from mien_core.model.keys import original_key
from tests.operations.glam import AT_ONCE
from tests.operations.skin import photo
from tests.operations.world import OWNER, Call, Operation, World

DATE = "2026-11-20"
METRICS = {"radiance": 61, "moisture": 55, "texture": 70, "pores": 48, "darkCircles": 66}


async def _entry(_world: World) -> Call:
    return Call("/journal", json={"userId": OWNER, "date": DATE, "mood": "calm", "energy": 70, "text": "Slept well."})


async def _one_entry(world: World) -> Call:
    entry_id = str((await world.make(await _entry(world)))["entryId"])
    return Call(f"/journal/{entry_id}", marks=(entry_id, "Slept well."))


async def _rewritten_entry(world: World) -> Call:
    entry = await _one_entry(world)
    return Call(entry.path, json={"date": DATE, "text": "Slept badly."}, marks=entry.marks)


async def _entries(world: World) -> Call:
    entry_id, _ = (await _one_entry(world)).marks
    # another tenant's anna may have written the same
    return Call(f"/journal/user/{OWNER}", marks=(entry_id,))


async def _period(_world: World) -> Call:
    return Call("/period", json={"userId": OWNER, "date": DATE, "flow": "light"})


async def _one_period(world: World) -> Call:
    period_id = str((await world.make(await _period(world)))["periodId"])
    return Call(f"/period/{period_id}", marks=(period_id,))


async def _periods(world: World) -> Call:
    return Call(f"/period/user/{OWNER}", marks=(await _one_period(world)).marks)


async def _prediction(world: World) -> Call:
    await _one_period(world)
    # what is predicted for another tenant's anna is another log's
    return Call(f"/period/predictions/{OWNER}")


async def _scan(_world: World) -> Call:
    return Call("/skin", json={"userId": OWNER, "date": DATE, "metrics": METRICS})


async def _one_scan(world: World) -> Call:
    scan_id = str((await world.make(await _scan(world)))["scanId"])
    return Call(f"/skin/{scan_id}", marks=(scan_id,))


async def _scans(world: World) -> Call:
    return Call(f"/skin/user/{OWNER}", marks=(await _one_scan(world)).marks)


async def _photo_scan(world: World) -> Call:
    announced = {"contentType": "image/jpeg", "contentLength": 4, "purpose": "cycle", "userId": OWNER}
    upload_id = str((await world.make(Call("/upload-url", json=announced)))["uploadId"])
    await world.object_store.put(original_key(upload_id), b"jpeg", "image/jpeg")
    return Call(
        "/skin/analyze",
        data={"userId": OWNER, "date": DATE},
        files={"image": ("me.png", photo(), "image/png")},
        as_json={"userId": OWNER, "uploadId": upload_id},
        headers=AT_ONCE,
    )


async def _one_photo_scan(world: World) -> Call:
    scan_id = str((await world.make(await _photo_scan(world)))["scanId"])
    return Call(f"/skin/analyze/{scan_id}", marks=(scan_id,))


async def _insight(_world: World) -> Call:
    return Call("/insights", json={"userId": OWNER, "from": "2026-11-01", "to": DATE}, headers=AT_ONCE)


async def _insights(world: World) -> Call:
    insight_id = str((await world.make(await _insight(world)))["insightId"])
    async with world.database.transaction() as transaction:
        await transaction.insights.write(insight_id, Words("You slept well.", "summary", None))
    return Call(f"/insights/{OWNER}", marks=(insight_id,))


OPERATIONS = {
    ("POST", "/journal"): Operation(_entry, "user"),
    ("GET", "/journal/{entry_id}"): Operation(_one_entry, "thing"),
    ("PUT", "/journal/{entry_id}"): Operation(_rewritten_entry, "thing"),
    ("DELETE", "/journal/{entry_id}"): Operation(_one_entry, "thing"),
    ("GET", "/journal/user/{user_id}"): Operation(_entries, "user"),
    ("POST", "/period"): Operation(_period, "user"),
    ("DELETE", "/period/{period_id}"): Operation(_one_period, "thing"),
    ("GET", "/period/user/{user_id}"): Operation(_periods, "user"),
    ("GET", "/period/predictions/{user_id}"): Operation(_prediction, "user"),
    ("POST", "/skin"): Operation(_scan, "user"),
    ("DELETE", "/skin/{scan_id}"): Operation(_one_scan, "thing"),
    ("GET", "/skin/user/{user_id}"): Operation(_scans, "user"),
    ("POST", "/skin/analyze"): Operation(_photo_scan, "user"),
    ("GET", "/skin/analyze/{scan_id}"): Operation(_one_photo_scan, "thing"),
    ("POST", "/insights"): Operation(_insight, "user"),
    ("GET", "/insights/{user_id}"): Operation(_insights, "user"),
}
