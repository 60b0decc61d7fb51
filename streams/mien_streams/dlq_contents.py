"""What a message holds, made fit for a person's eyes: whatever its bytes are, no secrets, no photos."""

import base64
import json
import re
from typing import Any

HIDDEN = "(hidden)"
DUMPED_BYTES = 256
SHOWN_CHARACTERS = 4000
_ROW = 16

_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|passw|secret|token|signature|credential|(api|access).?key|principalid|sourceip",
    re.IGNORECASE,
)
# a presigned URL's parts, and the password in any other
_SECRET_IN_TEXT = re.compile(
    r"((?:[?&]|%26)(?:X-Amz-)?(?:Signature|Credential|Security-Token|token)=)[^&\s\"']+|(://[^/@\s:]*:)[^/@\s]+(?=@)",
    re.IGNORECASE,
)
# how pictures begin, in bytes and in base64
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"WEBPVP8", b"/9j/4", b"iVBORw0KGgo", b"UklGR")
# a longer string in JSON is data, and perhaps a photo's
_LONGEST_STRING = 500


def readable(data: bytes) -> str:
    """One line of text where the bytes are text, and hexadecimal digits where they aren't."""
    try:
        return printable(data.decode())
    except UnicodeDecodeError:
        return f"0x{data[:DUMPED_BYTES].hex()}{'…' if len(data) > DUMPED_BYTES else ''}"


def printable(text: str) -> str:
    """Escape whatever could move a terminal's cursor or the reading direction; hide secrets."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in _hidden(text))


def header(name: str, value: bytes) -> str:
    """A header's value, unless its name says that it is a secret."""
    return HIDDEN if _SECRET_NAME.search(name) else readable(value)


def described(value: bytes) -> dict[str, object]:
    """A message's value for programs: its size, its kind, and as json, text or base64 what is in it."""
    kind, content = _understood(value)
    return {"size": len(value), "kind": kind} | ({} if content is None else {_MEMBERS[kind]: content})


def drawn(value: bytes) -> str:
    """A message's value for people: a first line that says what it is, then as much as is worth reading."""
    kind, content = _understood(value)
    if kind == "json":
        lines = json.dumps(content, indent=2, ensure_ascii=False).splitlines()
        return _cut(f"{len(value):,} bytes of JSON", [printable(line) for line in lines])
    if kind == "text":
        return _cut(f"{len(value):,} bytes of text", [printable(line) for line in str(content).splitlines()])
    if kind == "bytes":
        shown = value[:DUMPED_BYTES]
        rest = f", the first {DUMPED_BYTES}" if len(value) > DUMPED_BYTES else ""
        rows = [_dumped(start, shown[start : start + _ROW]) for start in range(0, len(shown), _ROW)]
        return "\n".join([f"{len(value):,} bytes that are no text{rest}", *rows])
    return f"{len(value):,} bytes: {kind}" if value else kind


_MEMBERS = {"json": "json", "text": "text", "bytes": "base64"}


def _understood(value: bytes) -> tuple[str, Any]:
    """What kind of thing the bytes are, and the thing; None where it isn't to be seen."""
    if not value:
        return "empty", None
    if any(beginning in value for beginning in _PICTURES):
        return "a picture is in it, which is not shown", None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "bytes", base64.b64encode(value).decode()
    try:
        return "json", _without_secrets(json.loads(text))
    except (ValueError, RecursionError):
        return "text", _hidden(text)


def _without_secrets(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: HIDDEN if _SECRET_NAME.search(name) else _without_secrets(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_without_secrets(each) for each in part]
    if isinstance(part, str):
        return _hidden(part) if len(part) <= _LONGEST_STRING else f"({len(part):,} characters, not shown)"
    return part


def _hidden(text: str) -> str:
    return _SECRET_IN_TEXT.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", text)


def _cut(title: str, lines: list[str]) -> str:
    text = "\n".join([title, *lines])
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}\n… --json shows all of it"


def _dumped(start: int, row: bytes) -> str:
    digits = " ".join(f"{byte:02x}" for byte in row)
    text = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else "." for byte in row)
    return f"{start:08x}  {digits:<{3 * _ROW}} {text}"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
