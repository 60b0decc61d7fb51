"""GlamAI's operations."""

from tests.operations.world import OWNER, Call, Operation, World

AT_ONCE = {"Prefer": "wait=0"}


async def _upload_url(_world: World) -> Call:
    return Call("/upload-url", json={"contentType": "image/jpeg", "contentLength": 4, "userId": OWNER})


async def _analyze(world: World) -> Call:
    upload_id = await world.upload()
    return Call("/analyze", json={"uploadId": upload_id}, headers=AT_ONCE, marks=(upload_id,))


async def _look(world: World) -> Call:
    upload_id, job_id = await world.analysed_upload()
    return Call(f"/look/{upload_id}", marks=(upload_id, job_id))


OPERATIONS = {
    ("POST", "/upload-url"): Operation(_upload_url, "user"),
    ("POST", "/analyze"): Operation(_analyze, "thing"),
    ("GET", "/look/{upload_id}"): Operation(_look, "thing"),
}
