"""What each role asks of its environment."""

import pytest

from mien_streams.handlers.render_tryon import RenderTryOn
from mien_streams.relay import Relay
from mien_streams.retention import Retention
from mien_streams.wiring import ROLES, settings_class

GROUPS = ("serving", "s3", "retention")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({Relay.name}, set()),
        ({Relay.name, Retention.name}, {"s3", "retention"}),
        ({RenderTryOn.name}, {"serving", "s3"}),
        (set(ROLES), set(GROUPS)),
    ],
)
def test_a_process_knows_no_more_than_its_roles_need(names: set[str], expected: set[str]) -> None:
    """Serving's address is asked for where serving is asked, the store's keys where objects are touched."""
    known = settings_class(names).model_fields
    assert {group for group in GROUPS if group in known} == expected
