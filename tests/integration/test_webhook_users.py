"""Webhooks of users with tokens, where their issuer gives them that scope."""

from collections.abc import AsyncIterator

import httpx
import pytest

from mien_api.credential_settings import CredentialSettings, IssuerSettings
from mien_api.scopes import APPLICATIONS
from mien_core.model.platform import JobStatus
from mien_local.issuer.keys import SigningKey
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import AUDIENCE, TENANT_CLAIM, new_token
from tests.makers import new_job, new_upload
from tests.unit.api.conftest import Platform
from tests.webhooks import webhook_rules

WEBHOOK = {"url": "https://shop.example/mien", "events": ["job.completed"]}


@pytest.fixture
def platform() -> Platform:
    return Platform(webhook_rules=webhook_rules())


@pytest.fixture
async def anna(platform: Platform, issuer: IssuerServer, key: SigningKey) -> AsyncIterator[httpx.AsyncClient]:
    """A user whose issuer lets its users have webhooks."""
    trusted = IssuerSettings(
        url=issuer.url,
        audiences=frozenset({AUDIENCE}),
        tenant_claim=TENANT_CLAIM,
        scopes=APPLICATIONS | {"webhooks"},
    )
    platform.credentials = CredentialSettings(issuers=(trusted,))
    async with platform.client(f"Bearer {new_token(key, issuer.url, 'anna', 'acme')}") as client:
        yield client


async def test_a_users_webhook_is_told_of_that_users_jobs(anna: httpx.AsyncClient, platform: Platform) -> None:
    """And of nobody else's in the tenant; the tenant sees it among its own."""
    webhook = (await anna.post("/webhooks", json=WEBHOOK)).json()
    assert webhook["userId"] == "anna"
    for user_id in ("anna", "eve", None):
        async with platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload(user_id=user_id))
            job, _ = await transaction.jobs.create(new_job(upload))
            await transaction.jobs.change(job.id, JobStatus.COMPLETED)
    async with platform.database.transaction() as transaction:
        [delivery] = await transaction.webhook_deliveries.claim({}, limit=9, per_webhook=9, lease_seconds=60)
    async with platform.database.reading() as reading:
        told = await reading.jobs.get(str(delivery.job_id))
    assert told is not None
    assert told.user_id == "anna"
    async with platform.client(await platform.secret()) as tenant:
        assert [one["id"] for one in (await tenant.get("/webhooks")).json()["webhooks"]] == [webhook["id"]]
