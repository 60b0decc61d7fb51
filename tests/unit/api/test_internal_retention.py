"""What the operator asks for of retention, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, get_args
from uuid import uuid4

import httpx
import pytest
from pydantic import BaseModel, ValidationError

from mien_api.credential_settings import IssuerSettings
from mien_api.retention_schemas import ObjectsRuleBody, RowsRuleBody
from mien_core.model.data_classes import DataClass
from mien_core.model.keys import photo_key
from mien_core.rules.retention import PREFIXES
from mien_streams.retention_runs import RetentionRuns
from tests.makers import new_upload
from tests.unit.api.conftest import Platform

RUNS = "/internal/v1/retention/runs"


def new_run(**fields: Any) -> dict[str, Any]:
    defaults = {
        "id": str(uuid4()),
        "policyId": "policy-1",
        "policy": "mien/photos",
        "scheduledAt": "2026-11-21T03:00:00Z",
        "rules": [{"store": "s3", "dataClass": "photos", "ttlSeconds": 0}],
        "mode": "RequireApproval",
        "limits": {"maxPercent": 100},
    }
    return {**defaults, **fields}


@asynccontextmanager
async def operator(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(await platform.secret("platform", "operator")) as client:
        yield client


async def photos(platform: Platform, count: int) -> None:
    for _ in range(count):
        async with platform.database.transaction() as transaction:
            upload = await transaction.uploads.add(new_upload())
        await platform.object_store.put(photo_key(upload.id), b"photo", "image/jpeg")


async def worked_off(platform: Platform) -> None:
    runs = RetentionRuns(platform.database, platform.object_store)
    while await runs.advance() is not None:
        pass


async def test_a_run_is_asked_for_approved_and_done(platform: Platform) -> None:
    """Location is the run; its counts and its list say what is to go, and afterwards what went."""
    await photos(platform, 3)
    wanted = new_run()
    async with operator(platform) as client:
        answer = await client.post(RUNS, json=wanted)
        assert (answer.status_code, answer.headers["Location"]) == (202, f"{RUNS}/{wanted['id']}")
        run = answer.json()
        assert (run["state"], run["mode"], run["policy"], run["reason"]) == (
            "listing",
            "RequireApproval",
            "mien/photos",
            None,
        )
        await worked_off(platform)
        proposed = (await client.get(answer.headers["Location"])).json()
        assert (proposed["state"], proposed["reason"]) == ("proposed", "approval_required")
        assert proposed["rules"][0]["counts"] == proposed["counts"]
        assert (proposed["counts"]["listed"], proposed["counts"]["total"], proposed["counts"]["size"]) == (3, 3, 15)
        approved = await client.post(f"{RUNS}/{wanted['id']}/approve")
        again = await client.post(f"{RUNS}/{wanted['id']}/approve")
        assert (approved.json()["state"], again.json()) == ("approved", approved.json())
        await worked_off(platform)
        done = (await client.get(f"{RUNS}/{wanted['id']}")).json()
    assert (done["state"], done["counts"]["deleted"], done["endedAt"] is not None) == ("done", 3, True)
    assert platform.object_store.keys() == frozenset()
    told = [(actor, action) for actor, action, _ in platform.database.state.audit_log if actor != "console"]
    assert told == [
        ("operator", "retention_run.asked"),
        ("retention", "retention_run.proposed"),
        ("operator", "retention_run.approved"),
        ("retention", "retention_run.done"),
    ]


async def test_asked_for_again_it_is_the_run_that_it_was(platform: Platform) -> None:
    """By its id alone, whatever else is said the second time."""
    wanted = new_run()
    async with operator(platform) as client:
        first = await client.post(RUNS, json=wanted)
        again = await client.post(RUNS, json={**wanted, "mode": "Enforce"})
        runs = (await client.get(RUNS, params={"policyId": "policy-1"})).json()
    assert (again.status_code, again.json()) == (202, first.json())
    assert [run["id"] for run in runs["runs"]] == [wanted["id"]]


async def test_lists_and_runs_go_on_by_cursor(platform: Platform) -> None:
    """Each thing once, in order; another list's cursor is none here."""
    await photos(platform, 5)
    async with operator(platform) as client:
        ids = [(await client.post(RUNS, json=new_run(mode="DryRun"))).json()["id"] for _ in range(3)]
        await client.post(RUNS, json=new_run(policyId="policy-2"))
        await worked_off(platform)
        names: list[str] = []
        cursor = ""
        while True:
            page = (await client.get(f"{RUNS}/{ids[0]}/items", params={"limit": 2, "cursor": cursor})).json()
            names += [item["name"] for item in page["items"]]
            if page["nextCursor"] is None:
                break
            cursor = page["nextCursor"]
        first = (await client.get(RUNS, params={"policyId": "policy-1", "limit": 2})).json()
        more = {"policyId": "policy-1", "limit": 2, "cursor": first["nextCursor"]}
        rest = (await client.get(RUNS, params=more)).json()
        refused = await client.get(RUNS, params={**more, "policyId": "policy-2"})
    assert sorted(names) == sorted(platform.object_store.keys())
    assert [run["id"] for run in (*first["runs"], *rest["runs"])] == ids[::-1]
    assert (rest["nextCursor"], refused.json()["code"]) == (None, "invalid_cursor")


async def test_a_stopped_run_deletes_nothing_more(platform: Platform) -> None:
    """With the reason that was given; it can't be approved, and stopping it again changes nothing."""
    await photos(platform, 1)
    async with operator(platform) as client:
        run_id = (await client.post(RUNS, json=new_run())).json()["id"]
        await worked_off(platform)
        stopped = await client.post(f"{RUNS}/{run_id}/stop", json={"reason": "policy_changed"})
        again = await client.post(f"{RUNS}/{run_id}/stop", json={})
        refused = await client.post(f"{RUNS}/{run_id}/approve")
        await worked_off(platform)
    assert (stopped.json()["state"], stopped.json()["reason"]) == ("stopped", "policy_changed")
    assert again.json() == stopped.json()
    assert (refused.status_code, refused.json()["code"]) == (409, "retention_run_not_proposed")
    assert len(platform.object_store.keys()) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"rules": [{"store": "s3", "dataClass": "journal", "ttlSeconds": 0}]}, "invalid_request"),
        ({"rules": [{"store": "postgres", "dataClass": "derived_images", "ttlSeconds": 0}]}, "invalid_request"),
        ({"rules": [{"store": "s3", "dataClass": "photos", "ttlSeconds": -1}]}, "invalid_request"),
        ({"rules": [{"store": "s3", "dataClass": "selfies", "ttlSeconds": 1}]}, "invalid_request"),
        ({"rules": []}, "invalid_request"),
        ({"limits": {"maxPercent": 101}}, "invalid_request"),
        ({"scheduledAt": "2026-11-21T03:00:00"}, "invalid_request"),
        ({"tenants": [""]}, "invalid_request"),
    ],
)
async def test_what_can_not_be_carried_out_is_refused(platform: Platform, fields: dict[str, Any], code: str) -> None:
    """Whatever the policy's own checks let pass: nothing is noted of it."""
    async with operator(platform) as client:
        answer = await client.post(RUNS, json=new_run(**fields))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert platform.database.state.retention_runs == {}


async def test_what_does_not_exist_is_not_found(platform: Platform) -> None:
    """For whichever operation on one run."""
    path = f"{RUNS}/{uuid4()}"
    async with operator(platform) as client:
        answers = [
            await client.get(path),
            await client.get(f"{path}/items"),
            await client.post(f"{path}/approve"),
            await client.post(f"{path}/stop", json={}),
        ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "retention_run_not_found")}


async def test_the_operator_has_a_quota_of_its_own(platform: Platform) -> None:
    """One that a thousand resources don't use up."""
    async with operator(platform) as client:
        answer = await client.get(RUNS, params={"policyId": "policy-1"})
    assert answer.headers["RateLimit-Policy"].startswith('"operator";q=')


def test_no_token_is_the_operators() -> None:
    """An issuer whose users were to have its scope doesn't pass for a setting."""
    with pytest.raises(ValidationError, match="only these scopes"):
        IssuerSettings(
            url="https://issuer.example", audiences=frozenset({"mien"}), tenant="acme", scopes=frozenset({"operator"})
        )


def test_the_contract_names_the_classes_that_each_store_holds() -> None:
    """A class whose objects or rows are known to the rules can be asked for, and no other."""

    def named(rule: type[BaseModel]) -> set[DataClass]:
        return set(get_args(rule.model_fields["data_class"].annotation))

    assert named(ObjectsRuleBody) == set(PREFIXES)
    assert named(RowsRuleBody) == set(DataClass) - {DataClass.DERIVED_IMAGES}
