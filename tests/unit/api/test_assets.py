"""GlamAI's overlays for AR."""

import httpx
import pytest

from mien_core.model.keys import asset_key
from mien_core.model.overlays import OVERLAYS
from tests.unit.api.conftest import Platform


async def test_overlays_have_the_contracts_fields(platform: Platform, client: httpx.AsyncClient) -> None:
    """Each with a URL that gives its picture without a credential, and a preset that names it."""
    for overlay in OVERLAYS:
        await platform.object_store.put(asset_key(overlay.asset_id), overlay.asset_id.encode(), "image/png")
    assets = (await client.get("/assets")).json()["assets"]
    assert [asset["assetId"] for asset in assets] == [overlay.asset_id for overlay in OVERLAYS]
    for asset in assets:
        assert set(asset) == {"assetId", "category", "name", "url", "expiresIn", "preset"}
        assert set(asset["preset"]) == {"category", "color", "finish", "intensity", "assetId"}
        assert (asset["preset"]["category"], asset["preset"]["assetId"]) == (asset["category"], asset["assetId"])
        assert asset["expiresIn"] == 900
        fetched = await platform.object_store.accept(asset["url"], "GET", {}, b"")
        assert (fetched.status, fetched.body) == (200, asset["assetId"].encode())


async def test_a_category_has_its_own(client: httpx.AsyncClient) -> None:
    """Together they are all."""
    everything = [asset["assetId"] for asset in (await client.get("/assets")).json()["assets"]]
    found = []
    for category in ("lipstick", "eyeshadow", "blush"):
        assets = (await client.get(f"/assets/{category}")).json()["assets"]
        assert {asset["category"] for asset in assets} == {category}
        found += [asset["assetId"] for asset in assets]
    assert found == everything


@pytest.mark.parametrize("category", ["nose", "Lipstick", "eyeliner", "%00"])
async def test_an_unknown_category_is_missing(client: httpx.AsyncClient, category: str) -> None:
    """404, also for a category of make-up that needs no overlay; the detail says which have some."""
    answer = await client.get(f"/assets/{category}")
    assert (answer.status_code, answer.json()["code"]) == (404, "category_not_found")
    assert "lipstick, eyeshadow, blush" in answer.json()["detail"]


async def test_a_key_needs_the_scope(platform: Platform) -> None:
    """403 to a key of another application, 401 without one."""
    for authorization, status in ((await platform.secret(scopes="cycle"), 403), (None, 401)):
        async with platform.client(authorization) as client:
            assert (await client.get("/assets")).status_code == status
            assert (await client.get("/assets/blush")).status_code == status
