"""Texts that users may send: what no database and no page could hold is kept out, all other characters are kept."""

from typing import Annotated, Final

from pydantic import Field

# For a character class of a pattern: control characters and all that is blank. What \s means depends on who reads the
# pattern: a client's ECMA or the server's Rust.
BLANK: Final = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

# No line breaks and other control characters. That half of a character is no text, pydantic sees itself.
_LINE = r"^[^\x00-\x1f\x7f]+$"

Label = Annotated[str, Field(min_length=1, max_length=64, pattern=_LINE)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE)]
# PostgreSQL's text holds every character but NUL
Prose = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
# Only what is safe to follow: pages show these links.
Link = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\x00-\x20\x7f\"<>\\^`{|}]+$")]
Color = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
