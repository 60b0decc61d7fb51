"""Conditions on ETags."""

import pytest

from mien_api.etags import etag_of, is_current, versions_allowed


@pytest.mark.parametrize(
    ("if_match", "versions"),
    [
        (None, None),
        ("*", None),
        (" * ", None),
        ('"3"', {3}),
        ('"3-12"', {3}),
        ('"3-a,b"', {3}),
        ('"3-12", "7"', {3, 7}),
        ('"3" ,,"7"', {3, 7}),
        ('W/"3"', set()),
        ('W/"3", "7"', {7}),
        ("", set()),
        ("3", set()),
        ('"', set()),
        ('"x"', set()),
        ('"0"', set()),
        ('"-1"', set()),
        ('"03"', set()),
        ('"3.0"', set()),
        ('"99999999999999999999"', set()),
        ('"٣"', set()),
        ('"3', set()),
    ],
)
def test_if_match_names_versions(if_match: str | None, versions: set[int] | None) -> None:
    """Strong tags count, weak ones and what is no tag of ours match nothing, and no condition matches all."""
    expected = None if versions is None else frozenset(versions)
    assert versions_allowed(if_match) == expected


@pytest.mark.parametrize(
    ("if_none_match", "current"),
    [
        (None, False),
        ("*", True),
        ('"3-12"', True),
        ('W/"3-12"', True),
        ('"2", "3-12"', True),
        ('"3"', False),
        ('"3-13"', False),
        ("3-12", False),
        ("", False),
    ],
)
def test_if_none_match_names_what_the_client_has(if_none_match: str | None, *, current: bool) -> None:
    """The comparison is the weak one, of the whole tag."""
    assert is_current(if_none_match, etag_of(3, 12)) == current


def test_a_tag_tells_its_version() -> None:
    """With or without something derived beside it."""
    assert (etag_of(3), etag_of(3, 12), etag_of(3, None)) == ('"3"', '"3-12"', '"3"')
    for tag in (etag_of(41), etag_of(41, 12)):
        assert versions_allowed(tag) == frozenset({41})
