"""Ids of what a request creates."""

import itertools
from uuid import UUID, uuid4

import pytest

from mien_api.ids import new_id, same_ids


def test_ids_are_new() -> None:
    """Without a seed every id is another one, and a UUID."""
    ids = [new_id() for _ in range(3)]
    with same_ids(None):
        ids += [new_id() for _ in range(3)]
    assert len({UUID(id_) for id_ in ids}) == 6


def test_another_attempt_gets_the_same_ids() -> None:
    """The same seed gives the same ids in the same order, another seed others; after the block they are new again."""
    seed = str(uuid4())
    with same_ids(seed):
        first = [new_id() for _ in range(3)]
    between = new_id()
    with same_ids(seed):
        again = [new_id() for _ in range(3)]
    with same_ids(str(uuid4())):
        other = [new_id() for _ in range(3)]
    assert first == again
    assert len({UUID(id_) for id_ in [*first, between, *other]}) == 7


def test_an_error_ends_the_block() -> None:
    """Whatever ends the request, the next one has ids of its own."""
    with pytest.raises(ZeroDivisionError), same_ids(str(uuid4())):
        raise ZeroDivisionError
    assert len({new_id() for _ in itertools.repeat(None, 3)}) == 3
