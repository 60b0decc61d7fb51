"""GlamAI's saved looks."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from mien_api.looks_handlers import LookHandlers
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Missing
from mien_core.model.platform import Caller
from tests.unit.api.conftest import Platform

PRESET: dict[str, Any] = {
    "category": "lipstick",
    "color": "#A4414B",
    "finish": "satin",
    "intensity": 0.7,
    "assetId": None,
}
PRODUCT: dict[str, Any] = {
    "productId": "lip-017",
    "name": "Velvet",
    "shade": {"name": "Rosewood", "hex": "#a4414b"},
    "url": "https://shop.test/lip-017?shade=1",
    "reason": "It suits a warm undertone.",
}
LOOK: dict[str, Any] = {"userId": "anna", "name": "Soft evening", "presets": [PRESET], "products": [PRODUCT]}
# what in a look may be wrong: where it stands, and the pointer to it
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"userId": None}, "/userId"),
    ({"userId": "a\x00"}, "/userId"),
    ({"name": ""}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"name": "\x00"}, "/name"),
    ({"uploadId": "x"}, "/uploadId"),
    ({"presets": {}}, "/presets"),
    ({"presets": [PRESET] * 51}, "/presets"),
    ({"presets": [PRESET, {**PRESET, "category": "nose"}]}, "/presets/1/category"),
    ({"presets": [{**PRESET, "finish": "Matte"}]}, "/presets/0/finish"),
    ({"presets": [{**PRESET, "color": "red"}]}, "/presets/0/color"),
    ({"presets": [{**PRESET, "color": "#A4414"}]}, "/presets/0/color"),
    ({"presets": [{**PRESET, "color": "#A4414BFF"}]}, "/presets/0/color"),
    ({"presets": [{**PRESET, "color": "#A4414B\n"}]}, "/presets/0/color"),
    ({"presets": [{**PRESET, "intensity": 1.01}]}, "/presets/0/intensity"),
    ({"presets": [{**PRESET, "intensity": -0.1}]}, "/presets/0/intensity"),
    ({"presets": [{**PRESET, "intensity": "0.7"}]}, "/presets/0/intensity"),
    ({"presets": [{**PRESET, "intensity": True}]}, "/presets/0/intensity"),
    ({"presets": [{**PRESET, "assetId": ""}]}, "/presets/0/assetId"),
    ({"presets": [{"category": "blush"}]}, "/presets/0/color /presets/0/finish /presets/0/intensity"),
    ({"presets": ["lipstick"]}, "/presets/0"),
    ({"products": [{}]}, "/products/0/productId"),
    ({"products": [{**PRODUCT, "url": "javascript:alert(1)"}]}, "/products/0/url"),
    ({"products": [{**PRODUCT, "url": "https://a b"}]}, "/products/0/url"),
    ({"products": [{**PRODUCT, "shade": {"name": "x", "hex": "x"}}]}, "/products/0/shade/hex"),
    ({"products": [{**PRODUCT, "reason": "a\x00b"}]}, "/products/0/reason"),
    ({"products": [PRODUCT] * 51}, "/products"),
]


async def saved(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/looks/save", json={**LOOK, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_saved_look_has_the_contracts_fields(platform: Platform, client: httpx.AsyncClient) -> None:
    """All that was sent, an id and a time; what is no field of a part is left out."""
    upload_id = await platform.uploaded(client)
    look = await saved(client, uploadId=upload_id, presets=[{**PRESET, "unknown": 1}], unknown=2)
    assert look.pop("lookId")
    assert look.pop("createdAt")
    assert look == {**LOOK, "uploadId": upload_id}


async def test_a_look_may_be_saved_without_a_photo_and_parts(client: httpx.AsyncClient) -> None:
    """A name suffices; of a product its id does."""
    look = await saved(client, presets=[], products=[{"productId": "lip-017"}], name="\u200f\u05d0 ✨")
    assert (look["uploadId"], look["presets"], look["name"]) == (None, [], "\u200f\u05d0 ✨")
    assert look["products"] == [{**dict.fromkeys(PRODUCT), "productId": "lip-017"}]


async def test_looks_are_listed_newest_first_in_pages(platform: Platform, client: httpx.AsyncClient) -> None:
    """Each user's own in each tenant; the last page has no cursor."""
    looks = [await saved(client, name=f"look {number}") for number in range(5)]
    await saved(client, userId="berta")
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(3):
        body = (await client.get("/looks/anna", params={"limit": 2, "cursor": cursor})).json()
        assert len(body["looks"]) <= 2
        found += body["looks"]
        cursor = body["nextCursor"]
    assert cursor is None
    assert found == looks[::-1]
    assert (await client.get("/looks/nobody")).json() == {"looks": [], "nextCursor": None}
    async with platform.client(await platform.secret("other")) as other:
        assert (await other.get("/looks/anna")).json()["looks"] == []


async def test_a_cursor_of_another_list_is_refused(client: httpx.AsyncClient) -> None:
    """Another user's."""
    for user_id in ("anna", "anna", "berta", "berta"):
        await saved(client, userId=user_id)
    cursor = (await client.get("/looks/berta?limit=1")).json()["nextCursor"]
    answer = await client.get(f"/looks/anna?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_a_look_names_no_photo_of_somebody_else(platform: Platform, client: httpx.AsyncClient) -> None:
    """404 for an unknown upload, another tenant's and another user's; the user's own and the tenant's are fine."""
    announced = {"contentType": "image/jpeg", "contentLength": 4}
    own, bertas, nobodys = [
        (await client.post("/upload-url", json={**announced, "userId": user_id})).json()["uploadId"]
        for user_id in ("anna", "berta", None)
    ]
    async with platform.client(await platform.secret("other")) as other:
        foreign = (await other.post("/upload-url", json=announced)).json()["uploadId"]
    for upload_id in (str(uuid4()), bertas, foreign):
        answer = await client.post("/looks/save", json={**LOOK, "uploadId": upload_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "upload_not_found")
    for upload_id in (own, nobodys):
        assert (await saved(client, uploadId=upload_id))["uploadId"] == upload_id


@pytest.mark.parametrize(("fields", "pointers"), WRONG)
async def test_a_wrong_field_is_pointed_at(client: httpx.AsyncClient, fields: dict[str, Any], pointers: str) -> None:
    """422 with JSON pointers, and nothing is saved."""
    answer = await client.post("/looks/save", json={**LOOK, **fields})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert " ".join(error["pointer"] for error in answer.json()["errors"]) == pointers
    assert (await client.get("/looks/anna")).json()["looks"] == []


async def test_a_key_needs_the_scope(platform: Platform) -> None:
    """403 to a key of another application, 401 without one."""
    for authorization, status in ((await platform.secret(scopes="cycle"), 403), (None, 401)):
        async with platform.client(authorization) as client:
            assert (await client.post("/looks/save", json=LOOK)).status_code == status
            assert (await client.get("/looks/anna")).status_code == status


async def test_a_user_acts_for_themselves_alone() -> None:
    """Whose credential is one user's saves for no other user and reads no other user's looks."""
    handlers = LookHandlers(MemoryDatabase())
    anna, berta = Caller("acme", "anna"), Caller("acme", "berta")
    saving: dict[str, Any] = {"upload_id": None, "name": "mine", "presets": [], "products": []}
    look = await handlers.save(anna, "anna", **saving)
    with pytest.raises(Missing, match="user_not_found"):
        await handlers.save(berta, "anna", **saving)
    with pytest.raises(Missing, match="user_not_found"):
        await handlers.looks(berta, "anna", cursor=None, limit=5)
    assert (await handlers.looks(anna, "anna", cursor=None, limit=5)).things == [look]
