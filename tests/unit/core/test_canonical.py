"""JSON in one form only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.canonical import Json, canonical

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_it_is_what_the_rfc_says() -> None:
    """RFC 8785's own examples, of its sections 3.2.2 and 3.2.3, without their numbers."""
    text = '€$\u000f\nA\'B"\\\\"/'
    assert canonical({"string": text, "literals": [None, True, False]}) == (
        '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    )
    names = {
        "€": "Euro",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew",
        "1": "One",
        "😀": "Emoji",
        "\x80": "Control",
        "ö": "O",
    }
    ordered = ["Carriage Return", "One", "Control", "O", "Euro", "Emoji", "Hebrew"]
    assert list(json.loads(canonical(names)).values()) == ordered


@given(VALUES)
def test_it_is_read_as_what_was_written_and_written_the_same_again(value: Json) -> None:
    """So a signature over it is one over the value, whoever reads it and in whichever order."""
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("value", [1.5, 1.0, float("nan"), 2**53, -(2**53), "\ud800", {"\ud800": 1}])
def test_what_readers_differ_on_is_refused(value: Json) -> None:
    """Fractions, numbers that not all have exactly, halves of characters."""
    with pytest.raises(ValueError, match=r"whole number|every reader|surrogates"):
        canonical({"value": value})


def test_what_is_no_json_is_refused() -> None:
    """Bytes are a sequence of numbers to Python, and nothing to JSON."""
    with pytest.raises(TypeError):
        canonical({"value": b"bytes"})
