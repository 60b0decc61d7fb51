"""What a walk over the object store finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a walk over the store finds it; size in bytes, of all its versions together."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """Some objects in the order of their keys; is_last says that none come after them."""

    objects: tuple[StoredObject, ...]
    is_last: bool
