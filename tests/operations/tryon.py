"""TryOnAI's operations."""

from tests.operations.skin import photo
from tests.operations.world import Call, Operation, World

PATH = "/api/tryon/sessions"


async def _begin(_world: World) -> Call:
    return Call(PATH, data={"user_token": "visitor-1"}, files={"image": ("me.png", photo(), "image/png")})


async def _session(world: World) -> Call:
    session_id = str((await world.make(await _begin(world)))["session_id"])
    return Call(f"{PATH}/{session_id}", marks=(session_id,))


OPERATIONS = {
    ("POST", PATH): Operation(_begin, "nothing", open_to="anonymous"),
    ("GET", PATH + "/{session_id}"): Operation(_session, "thing", open_to="anonymous"),
}
