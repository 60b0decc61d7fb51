"""Texts that users may send: what no database and no page could hold is kept out, all other characters are kept."""

from typing import Annotated

from pydantic import Field

# No line breaks and other control characters. That half of a character is no text, pydantic sees itself.
_LINE = r"^[^\x00-\x1f\x7f]+$"

Label = Annotated[str, Field(min_length=1, max_length=64, pattern=_LINE)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE)]
# PostgreSQL's text holds every character but NUL
Prose = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
# Only what is safe to follow: pages show these links.
Link = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\x00-\x20\x7f\"<>\\^`{|}]+$")]
Color = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
