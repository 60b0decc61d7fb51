"""The operations on webhooks."""

from tests.operations.world import Call, Operation, World

WEBHOOK = {"url": "https://shop.example/mien", "events": ["job.completed", "job.failed"]}


async def _register(_world: World) -> Call:
    return Call("/webhooks", json=WEBHOOK)


async def _registered(world: World) -> str:
    return str((await world.make(await _register(world)))["id"])


async def _webhooks(world: World) -> Call:
    return Call("/webhooks", marks=(await _registered(world),))


async def _one(world: World) -> Call:
    webhook_id = await _registered(world)
    return Call(f"/webhooks/{webhook_id}", marks=(webhook_id,))


async def _rotate(world: World) -> Call:
    one = await _one(world)
    return Call(f"{one.path}/rotate", marks=one.marks)


async def _test(world: World) -> Call:
    one = await _one(world)
    return Call(f"{one.path}/test", marks=one.marks)


OPERATIONS = {
    ("POST", "/webhooks"): Operation(_register, "nothing"),
    ("GET", "/webhooks"): Operation(_webhooks, "nothing"),
    ("DELETE", "/webhooks/{webhook_id}"): Operation(_one, "thing"),
    ("POST", "/webhooks/{webhook_id}/rotate"): Operation(_rotate, "thing"),
    ("POST", "/webhooks/{webhook_id}/test"): Operation(_test, "thing"),
}
