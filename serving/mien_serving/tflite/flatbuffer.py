"""Reads FlatBuffers: tables whose fields lie where the file says, or are left out where they have their default.

Only what a .tflite file uses, after the format's published description (https://flatbuffers.dev/internals). Every read
is checked against the buffer's ends, since a file may be cut or damaged.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_UINT16: Final = struct.Struct("<H")
_UINT32: Final = struct.Struct("<I")
_INT32: Final = struct.Struct("<i")


class CorruptError(Exception):
    """An offset or a length points outside of the file."""


@dataclass(frozen=True)
class Table:
    """One table of a buffer; fields go by their number in the schema.

    Every method raises CorruptError where the file points outside of itself.
    """

    buffer: bytes
    position: int

    def number(self, field: int, layout: str, default: float = 0) -> int | float:
        """A scalar field.

        Args:
            field: its number.
            layout: its type as in struct: b int8, B uint8, i int32, I uint32, f float32, ? bool.
            default: what the schema says it is when it was left out.
        """
        place = self._place(field)
        if place is None:
            return default
        value: int | float = _unpack(struct.Struct("<" + layout), self.buffer, place)
        return value

    def table(self, field: int) -> "Table | None":
        """A field that is a table (or the table of a union), or None where it was left out."""
        place = self._place(field)
        return None if place is None else Table(self.buffer, _follow(self.buffer, place))

    def tables(self, field: int) -> "list[Table]":
        """A field that is a vector of tables; empty where it was left out."""
        start, length = self._vector(field, 4)
        places = range(start, start + 4 * length, 4)
        return [Table(self.buffer, _follow(self.buffer, place)) for place in places]

    def array(self, field: int, dtype: str) -> NDArray[np.generic]:
        """A field that is a vector of numbers, read-only; empty where it was left out.

        Args:
            field: its number.
            dtype: the numbers' type in little endian, such as <i4.
        """
        kind = np.dtype(dtype)
        start, length = self._vector(field, kind.itemsize)
        return np.frombuffer(self.buffer, kind, length, start)

    def text(self, field: int) -> str:
        """A field that is a string; empty where it was left out."""
        start, length = self._vector(field, 1)
        return self.buffer[start : start + length].decode("utf-8", errors="replace")

    def _place(self, field: int) -> int | None:
        index = self.position - _unpack(_INT32, self.buffer, self.position)
        entry = 4 + 2 * field
        if entry >= _unpack(_UINT16, self.buffer, index):
            return None
        offset = _unpack(_UINT16, self.buffer, index + entry)
        return self.position + offset if offset else None

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        """Where a vector's items begin and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = _follow(self.buffer, place)
        length = _unpack(_UINT32, self.buffer, start)
        if start + 4 + length * item_size > len(self.buffer):
            raise CorruptError
        return start + 4, length


def root(buffer: bytes, identifier: bytes) -> Table:
    """The outermost table.

    Args:
        buffer: the whole file.
        identifier: the four bytes that such a file has from its fifth byte on.

    Raises:
        CorruptError: when they aren't there.
    """
    if buffer[4:8] != identifier:
        raise CorruptError
    return Table(buffer, _follow(buffer, 0))


def _follow(buffer: bytes, place: int) -> int:
    return place + int(_unpack(_UINT32, buffer, place))


def _unpack(layout: struct.Struct, buffer: bytes, place: int) -> int:
    if not 0 <= place <= len(buffer) - layout.size:
        raise CorruptError
    (value,) = layout.unpack_from(buffer, place)
    return value  # type: ignore[no-any-return]  # what it is depends on the layout; struct can't say
