"""What the operator asks for."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from mien_core.model.privacy import Person
from mien_core.model.retention import RuleCounts
from mien_core.rules.retention import after_listing
from tests.makers import new_upload
from tests.operations.users import certificate
from tests.operations.world import Call, Operation, World

RUNS = "/internal/v1/retention/runs"
HOLDS = "/internal/v1/holds"
ERASURES = "/internal/v1/erasures"


def _new_run() -> dict[str, object]:
    return {
        "id": str(uuid4()),
        "policyId": str(uuid4()),
        "policy": "mien/walk",
        "scheduledAt": "2026-11-21T03:00:00Z",
        "rules": [{"store": "postgres", "dataClass": "photos", "ttlSeconds": 0}],
        "mode": "RequireApproval",
    }


async def _ask(_world: World) -> Call:
    return Call(RUNS, json=_new_run())


async def _asked(world: World, **fields: object) -> dict[str, str]:
    run = await world.make_as_operator(Call(RUNS, json=_new_run() | fields))
    return {"id": str(run["id"]), "policy": str(run["policyId"])}


async def _of_policy(world: World) -> Call:
    run = await _asked(world)
    return Call(RUNS, params={"policyId": run["policy"]}, marks=(run["id"],))


async def _one(world: World) -> Call:
    run = await _asked(world)
    return Call(f"{RUNS}/{run['id']}", marks=(run["policy"],))


async def _items(world: World) -> Call:
    proposed = await _proposed(world)
    return Call(proposed.path.removesuffix("/approve") + "/items", marks=proposed.marks)


async def _proposed(world: World) -> Call:
    """A run that waits for its approval, as the executor would leave it."""
    # one that has nothing else on its list
    tenant = str(uuid4())
    run_id = (await _asked(world, tenants=[tenant]))["id"]
    async with world.database.transaction() as transaction:
        upload = await transaction.uploads.add(new_upload(tenant=tenant))
        run = await transaction.retention_runs.lock(run_id)
        assert run is not None
        # it came after the question
        due = replace(run, as_of=await transaction.now() + timedelta(minutes=1))
        count, _ = await transaction.retention_runs.list_rows(due, 10)
        listed = run.counting(0, RuleCounts(total=count, listed=count))
        await transaction.retention_runs.save(after_listing(listed, await transaction.now()))
    return Call(f"{RUNS}/{run_id}/approve", marks=(upload.id,))


async def _stop(world: World) -> Call:
    one = await _one(world)
    return Call(f"{one.path}/stop", json={"reason": "policy_changed"}, marks=one.marks)


def _new_hold(**fields: object) -> dict[str, object]:
    # of a tenant that nothing else here is about
    return {"name": "mien/case-7", "tenant": str(uuid4()), "userId": str(uuid4()), "reason": "A lawsuit."} | fields


async def _place(_world: World) -> Call:
    body = _new_hold(dataClasses=["photos"])
    return Call(f"{HOLDS}/{uuid4()}", json=body, marks=(str(body["tenant"]),))


async def _placed(world: World) -> Call:
    call = await _place(world)
    await world.make_as_operator(call, "PUT")
    return Call(call.path, marks=call.marks)


async def _standing(world: World) -> Call:
    return Call(HOLDS, params={"limit": "100"}, marks=(await _placed(world)).marks)


async def _erase(_world: World) -> Call:
    person = Person(str(uuid4()), str(uuid4()))
    body = {"id": str(uuid4()), "tenant": person.tenant, "userId": person.user_id, "requestedBy": "data-protection"}
    return Call(ERASURES, json=body, marks=(person.pseudonym,))


async def _asked_for(world: World) -> Call:
    call = await _erase(world)
    erasure = await world.make_as_operator(call)
    return Call(f"{ERASURES}/{erasure['id']}", marks=call.marks)


async def _proven(world: World) -> Call:
    asked = await _asked_for(world)
    erasure = await world.make_as_operator(asked, "GET")
    async with world.database.transaction() as transaction:
        document = certificate(str(erasure["subject"]), str(erasure["jobId"]))
        await transaction.erasures.certify(str(erasure["jobId"]), str(erasure["subject"]), document)
    return Call(f"{asked.path}/certificate", marks=asked.marks)


OPERATIONS = {
    ("PUT", HOLDS + "/{hold_id}"): Operation(_place, "nothing", "operator"),
    ("GET", HOLDS): Operation(_standing, "nothing", "operator"),
    ("GET", HOLDS + "/{hold_id}"): Operation(_placed, "nothing", "operator"),
    ("DELETE", HOLDS + "/{hold_id}"): Operation(_placed, "nothing", "operator"),
    ("POST", ERASURES): Operation(_erase, "nothing", "operator"),
    ("GET", ERASURES + "/{erasure_id}"): Operation(_asked_for, "nothing", "operator"),
    ("GET", ERASURES + "/{erasure_id}/certificate"): Operation(_proven, "nothing", "operator"),
    ("POST", RUNS): Operation(_ask, "nothing", "operator"),
    ("GET", RUNS): Operation(_of_policy, "nothing", "operator"),
    ("GET", RUNS + "/{run_id}"): Operation(_one, "nothing", "operator"),
    ("GET", RUNS + "/{run_id}/items"): Operation(_items, "nothing", "operator"),
    ("POST", RUNS + "/{run_id}/approve"): Operation(_proposed, "nothing", "operator"),
    ("POST", RUNS + "/{run_id}/stop"): Operation(_stop, "nothing", "operator"),
}
