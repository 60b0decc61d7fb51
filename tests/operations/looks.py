"""The operations on GlamAI's saved looks."""

from tests.operations.world import OWNER, Call, Operation, World

PRESET = {"category": "lipstick", "color": "#A4414B", "finish": "satin", "intensity": 0.7}


async def _save(_world: World) -> Call:
    return Call("/looks/save", json={"userId": OWNER, "name": "Soft evening", "presets": [PRESET]})


async def _looks(world: World) -> Call:
    look_id = str((await world.make(await _save(world)))["lookId"])
    return Call(f"/looks/{OWNER}", marks=(look_id,))


OPERATIONS = {
    ("POST", "/looks/save"): Operation(_save, "user"),
    ("GET", "/looks/{user_id}"): Operation(_looks, "user"),
}
