"""Every operation of the API with a valid request; what stands in no table is found by the walk."""

from collections.abc import Mapping

from tests.operations import cycle, glam, internal, looks, platform, posters, skin, tryon, users, webhooks
from tests.operations.world import Operation

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **glam.OPERATIONS,
    **looks.OPERATIONS,
    **cycle.OPERATIONS,
    **skin.OPERATIONS,
    **posters.OPERATIONS,
    **tryon.OPERATIONS,
    **platform.OPERATIONS,
    **webhooks.OPERATIONS,
    **users.OPERATIONS,
    **internal.OPERATIONS,
}
