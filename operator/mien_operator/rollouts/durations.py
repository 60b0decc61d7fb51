"""Durations as people write them in resources: 90s, 5m, 1h30m."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

PATTERN: Final = r"^([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,6}s)?$"

Duration = Annotated[str, Field(pattern=PATTERN, min_length=2, max_length=17)]

_PARTS: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def span(duration: str) -> timedelta:
    """What a Duration says; nothing for a text that is none, which no schema lets through."""
    parts = _PARTS.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
