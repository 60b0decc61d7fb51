"""Ids of what a request creates: new ones, but for another attempt at the same request, which gets the same.

A process may be killed when its work is saved and its answer isn't. The client's repeat is another attempt, and what
it creates under the same id is there already (docs/decisions/0017). So handlers take ids from here, and have the
database take an id that is there as the thing that it is.
"""

import contextlib
import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from uuid import UUID, uuid4, uuid5

_ids: ContextVar[Iterator[str] | None] = ContextVar("ids", default=None)


def new_id() -> str:
    """Give the next id of what this request creates: a random UUID, or one made of the request's random seed."""
    ids = _ids.get()
    return str(uuid4()) if ids is None else next(ids)


@contextlib.contextmanager
def same_ids(seed: str | None) -> Iterator[None]:
    """Give the same ids in the same order wherever the block has this seed; random ones if it is None."""
    space = None if seed is None else UUID(seed)
    ids = None if space is None else (str(uuid5(space, str(number))) for number in itertools.count())
    token = _ids.set(ids)
    try:
        yield
    finally:
        _ids.reset(token)
