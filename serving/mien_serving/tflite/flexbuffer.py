"""Reads FlexBuffers, which custom operators keep their options in: a map of names to numbers and lists of integers.

After the format's published description (https://flatbuffers.dev/internals, FlexBuffers): values are read from the
end, each type byte says in its lower two bits how wide a value is, and a reference points backwards.
"""

import struct
from collections.abc import Mapping
from typing import Final

from mien_serving.tflite.flatbuffer import CorruptError

Value = int | float | list[int]

_INT: Final = 1
_FLOAT: Final = 3
_MAP: Final = 9
_INT_VECTOR: Final = 11
_INTEGERS: Final = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UNSIGNED: Final = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_FLOATS: Final = {4: "<f", 8: "<d"}


def read_map(buffer: bytes) -> Mapping[str, Value]:
    """The map that the buffer holds.

    Raises:
        CorruptError: when it holds something else, or points outside of itself.
    """
    try:
        return _read_map(buffer)
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise CorruptError from error


def _read_map(buffer: bytes) -> dict[str, Value]:
    width, packed = buffer[-1], buffer[-2]
    kind, item_width = packed >> 2, 1 << (packed & 3)
    if kind != _MAP:
        raise CorruptError
    start = _behind(buffer, len(buffer) - 2 - width, width)
    length = _number(_UNSIGNED, buffer, start - item_width, item_width)
    key_width = _number(_UNSIGNED, buffer, start - 2 * item_width, item_width)
    keys = _behind(buffer, start - 3 * item_width, item_width)
    types = buffer[start + length * item_width :][:length]
    result = {}
    for index, packed_type in enumerate(types):
        key = _behind(buffer, keys + index * key_width, key_width)
        name = buffer[key : buffer.index(0, key)].decode()
        result[name] = _value(buffer, start + index * item_width, item_width, packed_type)
    return result


def _value(buffer: bytes, place: int, width: int, packed_type: int) -> Value:
    kind = packed_type >> 2
    if kind == _INT:
        return _number(_INTEGERS, buffer, place, width)
    if kind == _FLOAT:
        (number,) = struct.unpack_from(_FLOATS[width], buffer, _inside(place))
        return float(number)
    if kind == _INT_VECTOR:
        item_width = 1 << (packed_type & 3)
        start = _behind(buffer, place, width)
        length = _number(_UNSIGNED, buffer, start - item_width, item_width)
        return [_number(_INTEGERS, buffer, start + index * item_width, item_width) for index in range(length)]
    raise CorruptError


def _behind(buffer: bytes, place: int, width: int) -> int:
    """Where the reference at a place points."""
    return place - _number(_UNSIGNED, buffer, place, width)


def _number(layouts: Mapping[int, str], buffer: bytes, place: int, width: int) -> int:
    (number,) = struct.unpack_from(layouts[width], buffer, _inside(place))
    return int(number)


def _inside(place: int) -> int:
    """A place that isn't negative: struct would count that from the buffer's end."""
    if place < 0:
        raise CorruptError
    return place
