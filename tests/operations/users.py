"""The operations on users as a whole."""

from uuid import uuid4

import httpx

from mien_core.certificate.document import Audit, DeletedData, Link, SecondScan, Statement
from mien_core.certificate.signing import signed, software
from mien_core.model.privacy import Person
from tests.makers import SIGNING_KEY
from tests.operations.world import OWNER, TENANT, Call, Operation, World

MOMENT = "2026-11-21T10:00:00.000000Z"


async def _export(_world: World) -> Call:
    return Call(f"/users/{OWNER}/export")


async def _ended(world: World, answer: httpx.Response) -> None:
    """Nobody carries it out here, and meanwhile the user could do nothing else."""
    async with world.database.transaction() as transaction:
        await transaction.erasures.end(answer.json()["id"])


async def _erase(_world: World) -> Call:
    return Call(f"/users/{OWNER}", afterwards=_ended)


def certificate(subject: str, job_id: str) -> str:
    """A certificate, signed, of an erasure that nobody carried out."""
    link = Link(
        action="user.erased",
        actor="erase-user",
        at=MOMENT,
        position=1,
        subject=subject,
        previous="0" * 64,
        hash="1" * 64,
    )
    statement = Statement(
        subject=subject,
        job_id=job_id,
        requested_at=MOMENT,
        erased_at=MOMENT,
        deleted=DeletedData(rows={"looks": 2}, objects=3),
        second_scan=SecondScan(at=MOMENT, tables=("looks",)),
        audit=Audit(requested=link, erased=link),
        software=software(),
        key_id=SIGNING_KEY.public.id,
    )
    return signed(statement, SIGNING_KEY)


async def _certificate(world: World) -> Call:
    subject, job_id = Person(TENANT, OWNER).pseudonym, str(uuid4())
    async with world.database.transaction() as transaction:
        await transaction.erasures.certify(job_id, subject, certificate(subject, job_id))
    return Call(f"/users/{OWNER}/erasures/{job_id}/certificate", marks=(subject,))


OPERATIONS = {
    ("GET", "/users/{user_id}/export"): Operation(_export, "user"),
    ("DELETE", "/users/{user_id}"): Operation(_erase, "user"),
    ("GET", "/users/{user_id}/erasures/{job_id}/certificate"): Operation(_certificate, "thing"),
}
