"""Cursors: lists that stay right while they change, and that nobody else's cursor opens."""

import base64
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count, repeat
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien_api.cursors import Cursors, Page
from mien_core.errors import Rejected
from mien_core.model.cycle import DiaryPosition

CURSORS = Cursors("things", DiaryPosition)
BINDING = ("acme", "anna", "None", None)
POSITIONS = st.builds(DiaryPosition, st.dates(), st.datetimes(timezones=st.just(UTC)), st.uuids())


def page(things: list[DiaryPosition], limit: int, after: DiaryPosition | None) -> Page[DiaryPosition]:
    """What a list that holds these things answers."""
    found = sorted((one for one in things if after is None or one < after), reverse=True)[: limit + 1]
    return CURSORS.page(found, limit, lambda one: one, *BINDING)


def cursor_of(position: DiaryPosition, cursors: Cursors[DiaryPosition] = CURSORS) -> str:
    cursor = cursors.page([position, position], 1, lambda one: one, *BINDING).next_cursor
    assert cursor is not None
    return cursor


@settings(deadline=None)
@given(POSITIONS)
def test_a_cursor_brings_back_its_position(position: DiaryPosition) -> None:
    """To the microsecond, in characters that need no quoting in a URL."""
    cursor = cursor_of(position)
    assert CURSORS.read(cursor, *BINDING) == position
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert len(cursor) <= 512


def test_no_cursor_is_the_beginning() -> None:
    """An empty one as well: it is what a form without a value sends."""
    assert CURSORS.read(None, *BINDING) is None
    assert CURSORS.read("", *BINDING) is None


PLACES = st.tuples(st.integers(0, 5), st.integers(0, 3))


@settings(deadline=None)
@given(
    st.lists(PLACES, max_size=30),
    st.integers(1, 5),
    st.lists(st.tuples(PLACES, st.sets(st.integers(0, 40), max_size=3)), max_size=10),
)
def test_pages_are_the_list_whatever_changes_meanwhile(
    places: list[tuple[int, int]], limit: int, changes: list[tuple[tuple[int, int], set[int]]]
) -> None:
    """What is there all the while is shown once, in order; what comes or goes between two pages moves nothing."""
    ids = (UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128) for number in count())

    def thing(place: tuple[int, int]) -> DiaryPosition:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=place[1])
        return DiaryPosition(date(2026, 1, 1) + timedelta(days=place[0]), at, next(ids))

    things = [thing(place) for place in places]
    staying = set(things)
    shown: list[DiaryPosition] = []
    after = None
    for added, deleted in chain(changes, repeat((None, set()))):
        part = page(things, limit, after)
        assert len(part.things) <= limit
        shown += part.things
        if part.next_cursor is None:
            break
        after = CURSORS.read(part.next_cursor, *BINDING)
        things = [one for number, one in enumerate(things) if number not in deleted]
        staying &= set(things)
        if added is not None:
            things.append(thing(added))
    assert len(set(shown)) == len(shown)
    assert [one for one in shown if one in staying] == sorted(staying, reverse=True)


def test_the_last_page_says_so() -> None:
    """No cursor leads to an empty page."""
    things = [DiaryPosition(date(2026, 1, day), datetime(2026, 1, 1, tzinfo=UTC), uuid4()) for day in (1, 2)]
    assert page(things, 2, None).next_cursor is None
    assert page(things, 1, None).next_cursor is not None
    assert page([], 1, None) == Page([], None)


POSITION = DiaryPosition(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7))
GOOD = cursor_of(POSITION)
BOUND = base64.urlsafe_b64decode(GOOD + "=" * (-len(GOOD) % 4))[:12]


@pytest.mark.parametrize(
    "cursor",
    [
        cursor_of(POSITION, Cursors("other things", DiaryPosition)),
        GOOD[:-2],
        GOOD[:10],
        GOOD + "\n",
        " " + GOOD,
        "A" + GOOD[1:],
        "x",
        "🙂",
        "\x00",
        *(
            base64.urlsafe_b64encode(BOUND + content).decode()
            for content in (
                b"",
                b"null",
                b"{}",
                b"[]",
                b"\xff",
                b'["2026-01-01"]',
                b'["2026-01-01","now","00000000-0000-0000-0000-000000000007"]',
                b"[" * 10_000,
            )
        ),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor: str) -> None:
    """Another list's, a broken one and a forged one whose position is none."""
    with pytest.raises(Rejected, match="invalid_cursor"):
        CURSORS.read(cursor, *BINDING)


@pytest.mark.parametrize(
    "binding",
    [
        ("other", "anna", "None", None),
        ("acme", "berta", "None", None),
        ("acme", "anna", "2026-01-01", None),
        ("acme", "anna", "None", "tag"),
        ("acme", "anna", "None", "None"),
        ("acme", "anna", "None"),
        ("acmeanna", "None", None),
    ],
)
def test_a_cursor_is_bound_to_whose_list_it_is_and_to_its_filters(binding: tuple[str | None, ...]) -> None:
    """Another tenant's, another user's, and the same user's under other filters."""
    with pytest.raises(Rejected, match="invalid_cursor"):
        CURSORS.read(GOOD, *binding)
