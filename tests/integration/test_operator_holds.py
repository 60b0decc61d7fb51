"""The operator's way to legal holds and erasures: a real api over HTTP, and the role erase-user behind it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from mien_api import keys
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.certificate.signing import verified
from mien_core.errors import Conflict, Missing
from mien_core.events import ErasureRequested
from mien_core.model.privacy import Person
from mien_operator.controller import Controller, Resource
from mien_operator.erasures.controller import ErasureController
from mien_operator.erasures.spec import ErasureRequestSpec
from mien_operator.holds.controller import LegalHoldController
from mien_operator.holds.reconcile import wanted_of
from mien_operator.holds.spec import LegalHoldSpec
from mien_operator.internal_api import InternalApi
from mien_operator.internal_holds import ErasuresApi, HoldsApi
from mien_operator.plan import Plan
from mien_streams.edge import Edge
from mien_streams.handlers.erase_user import EraseUser
from mien_streams.job_handler import JobHandler
from tests.integration.test_operator_retention import serving
from tests.makers import SIGNING_KEY
from tests.people import live
from tests.unit.streams.stand_ins import delivered

ANNA = Person("acme", "anna")


@dataclass
class Bench:
    """A platform whose api runs, and the operator's way to it."""

    database: MemoryDatabase
    store: MemoryObjectStore
    api: InternalApi

    async def looked(self, controller: Controller[Any, Any, Any], resource: Resource[Any]) -> Plan[Any]:
        """Do what the operator does at one look."""
        plan = controller.reconcile(resource, await controller.observe(resource), datetime.now(UTC))
        for action in plan.actions:
            await controller.perform(resource, action)
        return plan

    async def erased(self) -> None:
        """Do what the role erase-user does."""
        handler = JobHandler(self.database, EraseUser(self.database, self.store, 0, SIGNING_KEY))
        rows = [row.record for _, row in self.database.state.outbox.values()]
        for record in rows:
            if record.topic == ErasureRequested.topic:
                await Edge(self.database, handler).process(delivered(record))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    database, store = MemoryDatabase(), MemoryObjectStore()
    _, secret = await keys.create(database, "platform", "operator", frozenset({"operator"}))
    async with serving(database, store) as url, InternalApi(url, SecretStr(secret)) as api:
        yield Bench(database, store, api)


def resource(spec: Any, **fields: Any) -> Resource[Any]:
    values = {
        "namespace": "mien",
        "name": "case-7",
        "uid": str(uuid4()),
        "generation": 1,
        "annotations": {},
        "spec": spec,
        "status": {},
        "created_at": datetime.now(UTC),
        **fields,
    }
    return Resource(**values)


def hold(**fields: Any) -> Resource[LegalHoldSpec]:
    spec = LegalHoldSpec.model_validate({"tenant": "acme", "userId": "anna", "reason": "A lawsuit."})
    return resource(spec, **fields)


def request(**fields: Any) -> Resource[ErasureRequestSpec]:
    spec = {"tenant": "acme", "userId": "anna", "requestedBy": "data-protection"}
    return resource(ErasureRequestSpec.model_validate(spec), **fields)


async def test_a_hold_is_written_stands_and_is_lifted(bench: Bench) -> None:
    """Ready at the second look; deleted, the row names nobody any more, and the audit log tells of both."""
    controller = LegalHoldController(HoldsApi(bench.api))
    wanted = hold()
    first, second = [await bench.looked(controller, wanted) for _ in range(2)]
    assert [plan.conditions[0].reason for plan in (first, second)] == ["Placing", "Held"]
    assert bench.database.state.legal_holds[wanted.uid].user_id == "anna"
    await bench.looked(controller, hold(uid=wanted.uid, deleting=True))
    row = bench.database.state.legal_holds[wanted.uid]
    assert (row.user_id, row.pseudonym) == (None, ANNA.pseudonym)
    told = [(action, subject) for _, action, subject in bench.database.state.audit_log if action != "api_key.created"]
    assert told == [("hold.placed", wanted.uid), ("hold.released", wanted.uid)]
    # lifted again, or before it was there, nothing is wrong
    await HoldsApi(bench.api).release(wanted.uid)
    await HoldsApi(bench.api).release(str(uuid4()))
    with pytest.raises(Conflict, match="hold_released"):
        await HoldsApi(bench.api).place(wanted.uid, wanted_of(wanted))
    standing = await bench.api.get("/holds")
    assert standing == {"holds": [], "nextCursor": None}


async def test_an_erasure_is_asked_for_carried_out_and_proven(bench: Bench) -> None:
    """From Pending to Erased; the certificate in the status is genuine, and about the user."""
    await live(bench.database, bench.store, "acme", "anna")
    controller = ErasureController(ErasuresApi(bench.api))
    asked = request()
    phases = [(await bench.looked(controller, asked)).status["phase"] for _ in range(2)]
    assert phases == ["Pending", "Erasing"]
    await bench.erased()
    plan = await bench.looked(controller, asked)
    assert plan.status["phase"] == "Erased"
    certificate = verified(plan.status["certificate"]["document"], SIGNING_KEY.public, ANNA)
    assert certificate.audit.requested.actor == "operator/data-protection"
    assert certificate.key_id == plan.status["certificate"]["keyId"]
    assert plan.status["subject"] == ANNA.pseudonym
    assert not bench.store.keys()


async def test_a_blocked_erasure_begins_when_the_hold_is_lifted(bench: Bench) -> None:
    """Be the hold there before it was asked for, or written while it was under way."""
    await live(bench.database, bench.store, "acme", "anna")
    holds, erasures = LegalHoldController(HoldsApi(bench.api)), ErasureController(ErasuresApi(bench.api))
    before, asked, during = hold(), request(), hold()
    await bench.looked(holds, before)
    phases = [(await bench.looked(erasures, asked)).status["phase"] for _ in range(2)]
    assert phases == ["Pending", "Blocked"]
    await bench.looked(holds, hold(uid=before.uid, deleting=True))
    # asked for again
    await bench.looked(erasures, asked)
    await bench.looked(holds, during)
    await bench.erased()
    plan = await bench.looked(erasures, asked)
    assert plan.status["phase"] == "Blocked"
    assert bench.store.keys()
    await bench.looked(holds, hold(uid=during.uid, deleting=True))
    await bench.looked(erasures, asked)
    await bench.erased()
    assert (await bench.looked(erasures, asked)).status["phase"] == "Erased"
    assert not bench.store.keys()


async def test_asked_twice_it_is_one_and_about_one(bench: Bench) -> None:
    """An id that is another's is refused; one that nobody asked for isn't there, nor a certificate before its time."""
    erasures = ErasuresApi(bench.api)
    first, second = str(uuid4()), str(uuid4())
    for request_id in (first, first, second):
        await erasures.ask(request_id, "acme", "anna", "data-protection")
    known = [await erasures.get(request_id) for request_id in (first, second)]
    assert len({one.job_id for one in known if one}) == 1
    with pytest.raises(Conflict, match="request_differs"):
        await erasures.ask(first, "acme", "eve", "data-protection")
    assert await erasures.get(str(uuid4())) is None
    with pytest.raises(Missing, match="certificate_not_found"):
        await erasures.certificate(first)
