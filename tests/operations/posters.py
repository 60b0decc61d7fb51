"""The Movie Poster Generator's operations."""

from tests.operations.glam import AT_ONCE
from tests.operations.world import OWNER, Call, Operation, World

PATH = "/movie-poster-api-design"
# the owner's alone; asked for again it is the same poster, so all of the walk costs one credit
TITLE = "The Last Lighthouse of acme"
ORDER = {"user_id": OWNER, "prompt": "A door beneath the sea.", "title": TITLE}
EMAIL = "anna@acme.example"


async def _create(_world: World) -> Call:
    return Call("/user", json={"user_id": OWNER, "email": EMAIL, "name": "Anna"})


async def _user(world: World) -> Call:
    await world.make(await _create(world))
    # another tenant has an anna, too, whose account it reads
    other = Call("/user", json={"user_id": OWNER, "email": "anna@other.example"})
    assert (await world.send("POST", other, await world.key("other"))).is_success
    return Call("/user", params={"user_id": OWNER}, marks=(EMAIL,))


async def _get(_world: World) -> Call:
    return Call(PATH, params=ORDER, headers=AT_ONCE)


async def _make(_world: World) -> Call:
    return Call(PATH, json=ORDER, headers=AT_ONCE)


async def _history(world: World) -> Call:
    job_id = str((await world.make(await _make(world)))["job_id"])
    return Call("/history", params={"user_id": OWNER}, marks=(job_id,))


async def _pay(_world: World) -> Call:
    return Call("/pay", json={"user_id": OWNER, "pack": "starter"})


OPERATIONS = {
    ("POST", "/user"): Operation(_create, "user"),
    ("GET", "/user"): Operation(_user, "user"),
    ("GET", PATH): Operation(_get, "user"),
    ("POST", PATH): Operation(_make, "user"),
    ("GET", "/history"): Operation(_history, "user"),
    ("POST", "/pay"): Operation(_pay, "user"),
}
