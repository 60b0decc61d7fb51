"""The headers by which a message comes again."""

import pytest

from mien_streams.addressing import attempt, is_for, next_attempt, redriven, redrives
from tests.makers import record
from tests.unit.streams.stand_ins import delivered


def test_a_message_without_an_address_is_everybodys_first_attempt() -> None:
    """As producers and strangers send it."""
    assert is_for((), "one")
    assert (attempt(()), redrives(())) == (1, 0)


def test_attempts_count_up_and_keep_the_events_own_headers() -> None:
    """The second and the third attempt differ from the first in the two headers only."""
    first = delivered(record())
    second = next_attempt(first, "one")
    third = next_attempt(delivered(second), "one")
    assert (attempt(second.headers), attempt(third.headers)) == (2, 3)
    assert third.headers == (*first.headers, ("mien-for", b"one"), ("mien-attempt", b"3"))
    assert is_for(third.headers, "one")
    assert not is_for(third.headers, "two")


def test_a_redrive_begins_with_the_first_attempt_and_is_counted() -> None:
    """A message that is sent again twice says so, and its retries say it, too."""
    once = redriven(next_attempt(delivered(record()), "one").headers, 1, "one")
    twice = redriven(once, 2, "one")
    assert (attempt(once), redrives(once), redrives(twice)) == (1, 1, 2)
    for headers in (once, redriven(once, 2)):
        assert is_for(headers, "one")
        assert not is_for(headers, "two")
    assert is_for(redriven((), 1), "two")


@pytest.mark.parametrize("value", [b"", b"-1", b"x", b"1e9", b"\xff", b"99999999999999999999"])
def test_a_number_that_is_none_counts_for_nothing(value: bytes) -> None:
    """Strangers may write anything there."""
    assert attempt((("mien-attempt", value),)) == 1
    assert redrives((("mien-redrive", value),)) == 0
