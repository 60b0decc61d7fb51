"""JSON in one form only, so that what is hashed or signed is the same wherever it is written: RFC 8785 (JCS)."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

# what every reader of JSON has exactly (RFC 7493)
_LARGEST: Final = 2**53 - 1


def canonical(value: Json) -> bytes:
    """Write a value as RFC 8785 has it: UTF-8, no spaces, members in the order of their names' UTF-16 code units.

    Numbers are whole: those with a fraction would need ECMAScript's way of writing them, and nothing here has any.

    Raises:
        ValueError: a number that isn't whole or that not all readers have exactly, text that is no Unicode.
        TypeError: it is no JSON.
    """
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def _ordered(value: Json) -> Json:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError(f"{value} is more than every reader of JSON has exactly.")
        return value
    if isinstance(value, float):
        raise ValueError(f"{value} is no whole number.")  # noqa: TRY004 - JSON has one kind of number
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_ordered(one) for one in value]
    raise TypeError(f"{type(value).__name__} is no JSON.")
