"""Applications that ask for no credential, and what such callers may see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from pydantic import ValidationError

from mien_api.credential_settings import CredentialSettings
from mien_api.limits import RateLimits
from mien_api.routers.dependencies import CycleCaller, GlamCaller, TryOnCaller
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.model.platform import Caller
from tests.makers import new_job, new_upload
from tests.unit.api.conftest import Platform


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The app with a route of three applications; each answers who calls."""
    app = platform.app()

    def answer(caller: Caller) -> dict[str, object]:
        return {"tenant": caller.tenant, "user": caller.user_id, "scopes": sorted(caller.scopes)}

    @app.get("/tryon", tags=["TryOnAI"])
    async def tryon(caller: TryOnCaller) -> dict[str, object]:
        return answer(caller)

    @app.get("/glam", tags=["GlamAI"])
    async def glam(caller: GlamCaller) -> dict[str, object]:
        return answer(caller)

    @app.get("/cycle", tags=["Glow Cycle"])
    async def cycle(caller: CycleCaller) -> dict[str, object]:
        return answer(caller)

    async with (
        LifespanManager(app) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://mien.test") as client,
    ):
        yield client


async def test_only_try_on_asks_for_no_credential(platform: Platform) -> None:
    """By default; who comes without one belongs to its default tenant, is no user, and is good for nothing else."""
    async with serving(platform) as client:
        anybody = await client.get("/tryon")
        refused = [await client.get(path) for path in ("/glam", "/cycle")]
    assert anybody.json() == {"tenant": "public", "user": None, "scopes": ["tryon"]}
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(401, "credential_missing")] * 2


async def test_which_applications_ask_is_a_setting(platform: Platform) -> None:
    """Each that asks for none has a tenant of its own choice; all the others ask, try-on too then."""
    platform.credentials = CredentialSettings(anonymous={"glam": "visitors"})
    async with serving(platform) as client:
        assert (await client.get("/glam")).json() == {"tenant": "visitors", "user": None, "scopes": ["glam"]}
        assert [(await client.get(path)).status_code for path in ("/tryon", "/cycle")] == [401, 401]


async def test_a_credential_counts_where_none_is_asked_for(platform: Platform) -> None:
    """Who sends a key is its tenant, and a wrong one is refused, not passed over."""
    secret = await platform.secret()
    async with serving(platform) as client:
        known = await client.get("/tryon", headers={"Authorization": secret})
        wrong = await client.get("/tryon", headers={"Authorization": "Bearer mien_wrong"})
        empty = await client.get("/tryon", headers={"Authorization": ""})
    assert known.json()["tenant"] == "acme"
    assert (wrong.status_code, wrong.json()["code"]) == (401, "credential_invalid")
    assert (empty.status_code, empty.json()["code"]) == (401, "credential_missing")


@pytest.mark.parametrize(
    ("tenant", "user_id", "status"), [("public", None, 200), ("public", "anna", 401), ("acme", None, 401)]
)
async def test_a_job_made_without_a_credential_is_seen_without_one(
    platform: Platform, tenant: str, user_id: str | None, status: int
) -> None:
    """Its id is the capability that opens it; jobs of users and of other tenants are not to be had so."""
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(tenant=tenant, user_id=user_id))
        job, _ = await transaction.jobs.create(new_job(upload))
    async with platform.client(None) as client:
        assert (await client.get(f"/jobs/{job.id}")).status_code == status
        assert (await client.get("/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff")).status_code == 401
    platform.credentials = CredentialSettings(anonymous={})
    async with platform.client(None) as client:
        assert (await client.get(f"/jobs/{job.id}")).status_code == 401


async def test_jobs_are_not_looked_up_without_end_for_nobody(platform: Platform) -> None:
    """Who shows no credential is counted by address before the database is asked."""
    reads = 0

    class Counting(MemoryDatabase):
        def reading(self) -> Any:
            nonlocal reads
            reads += 1
            return super().reading()

    platform.database = Counting()
    platform.rate_limits = RateLimits(anonymous=2)
    async with platform.client(None) as client:
        path = "/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff"
        assert [(await client.get(path)).status_code for _ in range(4)] == [401, 401, 429, 429]
    assert reads == 2


@pytest.mark.parametrize("whose", [{"tenant": "acme"}, {"tenant_claim": "shop", "tenants": ["acme", "north"]}])
def test_anonymous_callers_are_in_no_tenant_with_users(whose: dict[str, Any]) -> None:
    """What an issuer's users own can't be opened to everybody by a setting."""
    issuer = {"url": "https://login.example", "audiences": ["mien"], **whose}
    with pytest.raises(ValidationError, match="acme has an issuer's users"):
        CredentialSettings.model_validate({"issuers": [issuer], "anonymous": {"tryon": "acme"}})
    apart = CredentialSettings.model_validate({"issuers": [issuer], "anonymous": {"tryon": "public"}})
    assert apart.anonymous == {"tryon": "public"}
