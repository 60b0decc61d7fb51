"""Where a list goes on: cursors that stay right while others add and delete.

A cursor holds the position of the last thing that was shown, never a count of things. So what is added or deleted
meanwhile, even that last thing, makes the next page neither repeat nor leave out anything else. A cursor is bound to
its list, whose it is, and the filters. That is no secret to be kept: which rows may be read is decided by the
request's own credential, so the most that a forged cursor does is to begin elsewhere in the forger's own list.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from mien_core.errors import Rejected

DEFAULT_LIMIT: Final = 50
LARGEST_LIMIT: Final = 100
_BINDING_BYTES: Final = 12

Thing = TypeVar("Thing")
Position = TypeVar("Position")

Cursor = Annotated[
    str | None,
    Query(max_length=512, description="nextCursor of the page before, with the same filters; first page: none"),
]
Limit = Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="how many at most")]


@dataclass(frozen=True, slots=True)
class Page(Generic[Thing]):
    """A part of a list, and where it goes on; None at the end."""

    things: list[Thing]
    next_cursor: str | None


class Cursors(Generic[Position]):
    """The cursors of one list.

    Args:
        listing: the list's name; the cursors of another list are no cursors here.
        position: what a position consists of; a type that pydantic writes as JSON and reads.
    """

    def __init__(self, listing: str, position: type[Position]) -> None:
        self._listing = listing
        self._positions = TypeAdapter(position)

    def read(self, cursor: str | None, *binding: str | None) -> Position | None:
        """Tell after which position the list goes on; None is its beginning.

        Args:
            cursor: as page gave it; None or empty for the first page.
            binding: whose list it is and how it is filtered, the same for all of its pages.

        Raises:
            Rejected: invalid_cursor.
        """
        if not cursor:
            return None
        try:
            content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            bound, position = content[:_BINDING_BYTES], content[_BINDING_BYTES:]
            if bound == self._bound(binding):
                return self._positions.validate_json(position)
        except (ValueError, binascii.Error, ValidationError):
            pass
        raise Rejected(
            "invalid_cursor", "The cursor is not one of this list with these filters. Begin again without a cursor."
        )

    def page(
        self, found: Sequence[Thing], limit: int, position_of: Callable[[Thing], Position], *binding: str | None
    ) -> Page[Thing]:
        """Make a page of at most limit things out of what was found when one more was asked for."""
        shown = list(found[:limit])
        if len(found) <= limit:
            return Page(shown, None)
        content = self._bound(binding) + self._positions.dump_json(position_of(shown[-1]))
        return Page(shown, base64.urlsafe_b64encode(content).rstrip(b"=").decode())

    def _bound(self, binding: Sequence[str | None]) -> bytes:
        # as JSON, so that two bindings that differ are never the same bytes
        return hashlib.sha256(json.dumps([self._listing, *binding]).encode()).digest()[:_BINDING_BYTES]
