"""dev.env: settings as lines that a shell can source."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from mien_local.home import write_private

_HEAD = "# Written by `mien up`. Use it in a shell with: source {path}\n"


def write(path: Path, settings: Mapping[str, str]) -> None:
    """Write one `export NAME=value` a setting; only the owner can read it."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
    write_private(path, _HEAD.format(path=shlex.quote(str(path))) + "".join(lines))


def read(path: Path) -> dict[str, str]:
    """The settings that `write` wrote; none if there is no file."""
    if not path.exists():
        return {}
    settings = {}
    for line in path.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if len(words) == 2 and words[0] == "export":  # noqa: PLR2004 - `export NAME=value` is two words
            name, _, value = words[1].partition("=")
            settings[name] = value
    return settings
