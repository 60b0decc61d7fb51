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


async def _presigned_url(_world: World) -> Call:
    return Call("/get-presigned-url", params={"contentType": "image/jpeg", "contentLength": "4", "userId": OWNER})


async def _recommendation(world: World) -> Call:
    upload_id, _ = await world.analysed_upload()
    return Call("/get-recommendation", params={"uploadId": upload_id}, marks=(upload_id,))


async def _assets(_world: World) -> Call:
    return Call("/assets")


async def _assets_of_category(_world: World) -> Call:
    return Call("/assets/lipstick")


OPERATIONS = {
    ("POST", "/upload-url"): Operation(_upload_url, "user"),
    ("GET", "/get-presigned-url"): Operation(_presigned_url, "user"),
    ("POST", "/analyze"): Operation(_analyze, "thing"),
    ("GET", "/look/{upload_id}"): Operation(_look, "thing"),
    ("GET", "/get-recommendation"): Operation(_recommendation, "thing"),
    ("GET", "/assets"): Operation(_assets, "nothing"),
    ("GET", "/assets/{category}"): Operation(_assets_of_category, "nothing"),
}
