"""The operations on users as a whole."""

import httpx

from tests.operations.world import OWNER, Call, Operation, World


async def _export(_world: World) -> Call:
    return Call(f"/users/{OWNER}/export")


async def _ended(world: World, answer: httpx.Response) -> None:
    """Nobody carries it out here, and meanwhile the user could do nothing else."""
    async with world.database.transaction() as transaction:
        await transaction.erasures.end(answer.json()["id"])


async def _erase(_world: World) -> Call:
    return Call(f"/users/{OWNER}", afterwards=_ended)


OPERATIONS = {
    ("GET", "/users/{user_id}/export"): Operation(_export, "user"),
    ("DELETE", "/users/{user_id}"): Operation(_erase, "user"),
}
