"""What `mien doctor` says: one line a thing it looked at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing: how it is, and how to mend it unless it is ok."""

    name: str
    level: Level
    text: str
    mend: str = ""


def ok(name: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(name, "ok", text)


def warning(name: str, text: str, mend: str) -> Finding:
    """It works, but not for long, or not as it should."""
    return Finding(name, "warning", text, mend)


def broken(name: str, text: str, mend: str) -> Finding:
    """It doesn't work."""
    return Finding(name, "broken", text, mend)


Check = Callable[[], Iterable[Finding]]


def look(name: str, check: Check) -> Iterator[Finding]:
    """Run a check; one that can't even look is a finding, too, and keeps no other from looking."""
    try:
        yield from check()
    except ImportError as error:
        yield broken(name, f"can't be looked at: {error}", "install what is missing: make setup")
    except Exception as error:  # noqa: BLE001 - the edge: a doctor who faints is none
        said = " ".join(str(error).split())[:300]
        yield broken(name, f"can't be looked at: {type(error).__name__}: {said}", "see the text; then run it again")
