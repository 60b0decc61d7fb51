"""X-Request-ID: the client's, if well-formed, else a new one."""

import re
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")


def choose_request_id(proposed: str | None) -> str:
    """Take the client's id if it is safe to log and send back, else make one."""
    if proposed is not None and _WELL_FORMED.fullmatch(proposed):
        return proposed
    return uuid4().hex


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """Give the id that the middleware chose for this request."""
    request_id: str = scope["state"]["request_id"]
    return request_id
