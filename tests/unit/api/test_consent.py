"""How consent to a photo's analysis comes with it, and which applications ask for it."""

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from mien_api.consent import said
from mien_api.wiring import HttpSettings
from tests.unit.api.conftest import NOW_HEADERS, Platform

ANNOUNCEMENT = {"contentType": "image/jpeg", "contentLength": 10}


def photo() -> bytes:
    file = BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


async def announced(client: httpx.AsyncClient, purpose: str, header: str | None, field: bool | None) -> httpx.Response:  # noqa: FBT001 - parameters of a table
    headers = {} if header is None else {"Consent": header}
    body: dict[str, Any] = {**ANNOUNCEMENT, "purpose": purpose, "consent": field}
    return await client.post("/upload-url", json=body, headers=headers)


async def sent(client: httpx.AsyncClient, header: str | None, field: str | None) -> httpx.Response:
    headers = NOW_HEADERS | ({} if header is None else {"Consent": header})
    data = {} if field is None else {"consent": field}
    return await client.post("/v1/analyze/skin", files={"image": photo()}, data=data, headers=headers)


@pytest.mark.parametrize(
    ("field", "header", "told"),
    [
        (None, None, None),
        (True, None, True),
        (None, "given", True),
        (True, "given", True),
        (False, "given", False),
        (True, "refused", False),
        (None, "refused", False),
        (False, None, False),
    ],
)
def test_a_no_anywhere_is_a_no(field: bool | None, header: Any, told: bool | None) -> None:  # noqa: FBT001 - likewise
    """Field and header say the same thing; what says nothing leaves it to the other."""
    assert said(field=field, header=header) is told


async def test_the_header_counts_as_the_field_does(platform: Platform) -> None:
    """Where consent is required, either of them is enough, on each way that a photo comes in; none is 403."""
    platform.consent_required = True
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        for good in [("given", None), (None, True)]:
            assert (await announced(client, "glam", *good)).status_code == 200
        for form in [("given", None), (None, "true")]:
            assert (await sent(client, *form)).status_code == 202
        for bad in [await announced(client, "glam", None, None), await sent(client, None, None)]:
            assert (bad.status_code, bad.json()["code"]) == (403, "consent_required")
        assert (await announced(client, "glam", "perhaps", None)).status_code == 422
    assert {upload.consent for upload in platform.database.state.uploads.values()} == {"given"}


async def test_each_application_may_ask_in_its_own_way(platform: Platform) -> None:
    """What is said for all holds for those that nothing else is said for; an explicit no always counts."""
    platform.consent_exceptions = {"skin": True}
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        assert (await announced(client, "glam", None, None)).status_code == 200
        assert (await announced(client, "skin", None, None)).status_code == 403
        assert (await sent(client, None, None)).status_code == 403
        assert (await sent(client, "given", None)).status_code == 202
        assert (await announced(client, "glam", "refused", None)).status_code == 403


def test_the_setting_names_applications() -> None:
    """Those that photos are for, and no other; by default the frontends ask."""
    assert HttpSettings().consent == "attested"
    assert HttpSettings.model_validate({"consent_of": {"tryon": "required"}}).consent_of == {"tryon": "required"}
    with pytest.raises(ValueError, match="consent_of"):
        HttpSettings.model_validate({"consent_of": {"glamour": "required"}})


async def test_a_refusal_under_the_same_key_is_another_request(client: httpx.AsyncClient) -> None:
    """What was said of consent belongs to what was asked."""
    headers = {"Idempotency-Key": "key"}
    given = await client.post("/upload-url", json=ANNOUNCEMENT, headers={**headers, "Consent": "given"})
    other = await client.post("/upload-url", json=ANNOUNCEMENT, headers=headers)
    assert given.status_code == 200
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
