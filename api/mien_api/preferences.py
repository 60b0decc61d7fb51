"""The Prefer header (RFC 7240), as far as this API honours it: wait and respond-async."""

import re

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,6})"?')


def wait_seconds(prefer: str | None, default: float, longest: float) -> float:
    """Tell how many seconds the client wants the request held open: between 0 and longest.

    The first wait counts, as RFC 7240 has it. respond-async without a wait means not at all. What can't be read is
    ignored, as every preference may be.
    """
    preferences = [part.split(";")[0].strip().lower() for part in (prefer or "").split(",")]
    for preference in preferences:
        if match := _WAIT.fullmatch(preference):
            return min(float(match[1]), longest)
    return 0.0 if "respond-async" in preferences else min(default, longest)


def applied(prefer: str | None, wait: float) -> dict[str, str]:
    """Say in an answer's headers which wait was honoured, to whoever asked for one."""
    return {"Preference-Applied": f"wait={wait:g}"} if prefer else {}
