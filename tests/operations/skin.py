"""Skin Chapters' operations."""

import io

from PIL import Image

from tests.operations.glam import AT_ONCE
from tests.operations.world import OWNER, Call, Operation, World

PATH = "/v1/analyze/skin"


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (190, 150, 130)).save(file, "PNG")
    return file.getvalue()


async def _analyze(_world: World) -> Call:
    return Call(PATH, data={"user_id": OWNER}, files={"image": ("me.png", photo(), "image/png")}, headers=AT_ONCE)


async def _analysis(world: World) -> Call:
    analysis_id = str((await world.make(await _analyze(world)))["analysis_id"])
    return Call(f"{PATH}/{analysis_id}", marks=(analysis_id,))


OPERATIONS = {
    ("POST", PATH): Operation(_analyze, "user"),
    ("GET", PATH + "/{analysis_id}"): Operation(_analysis, "thing"),
}
