"""Models become structural schemas, or say why they can't."""

from datetime import datetime, timedelta
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from mien_operator.crds.structural import NotStructural, structural_schema


class Inner(BaseModel):
    """What is within.

    It has two paragraphs.

    Args:
        value: not for readers.
    """

    value: int = Field(gt=0, lt=10)


class Outer(BaseModel):
    """Something of everything."""

    inner: Inner = Field(description="The one here.")
    others: dict[str, Inner] = Field(default_factory=dict)
    names: set[str] = Field(default_factory=set, max_length=5)
    maybe: int | None = None
    port: int | str = 80
    when: datetime | None = None
    fixed: Literal["one"] = "one"
    anything: dict[str, object] = Field(default_factory=dict)


def test_references_are_inlined_with_the_text_of_their_place() -> None:
    """What is said where a model is used counts more than what the model says of itself."""
    schema = structural_schema(Outer)
    assert schema["properties"]["inner"] == {
        "description": "The one here.",
        "type": "object",
        "properties": {
            "value": {
                "type": "integer",
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 10,
                "exclusiveMaximum": True,
            }
        },
        "required": ["value"],
    }
    assert schema["properties"]["others"]["additionalProperties"]["description"] == (
        "What is within.\n\nIt has two paragraphs."
    )


def test_what_may_be_left_out_is_never_null() -> None:
    """A null would be there for the API server's rules, and not for us; so it has no place."""
    properties = structural_schema(Outer)["properties"]
    assert properties["maybe"] == {"type": "integer"}
    assert properties["when"] == {"type": "string", "format": "date-time"}


def test_kubernetes_own_words_are_used() -> None:
    """Sets, numbers that may be text, fixed words and free objects have words of their own."""
    properties = structural_schema(Outer)["properties"]
    assert properties["names"]["x-kubernetes-list-type"] == "set"
    assert "uniqueItems" not in properties["names"]
    assert properties["port"] == {"x-kubernetes-int-or-string": True, "default": 80}
    assert properties["fixed"] == {"type": "string", "enum": ["one"], "default": "one"}
    assert properties["anything"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_a_status_is_filled_in_by_nobody() -> None:
    """Without defaults, none is anywhere in it."""
    assert "default" not in str(structural_schema(Outer, defaults=False))


class Recursive(BaseModel):
    """Holds itself."""

    inner: "Recursive | None" = None


class Alternatives(BaseModel):
    """One of two types."""

    place: Inner | list[int]


class Pair(BaseModel):
    """A list of two types."""

    pair: tuple[int, str]


class Span(BaseModel):
    """A span of time."""

    span: timedelta


@pytest.mark.parametrize(
    ("model", "where"),
    [(Recursive, "Recursive holds itself"), (Alternatives, "place: "), (Pair, "pair: "), (Span, "span: .*duration")],
)
def test_what_kubernetes_cannot_say_is_refused_when_it_is_made(model: type[BaseModel], where: str) -> None:
    """The message says where it stands, so that nobody hears it from an API server first."""
    with pytest.raises(NotStructural, match=where):
        structural_schema(model)
