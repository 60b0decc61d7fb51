"""How a request says that the person in its photo agreed: a field where it has fields of its own, or this header."""

from typing import Annotated, Literal

from fastapi import Header

ConsentHeader = Annotated[
    Literal["given", "refused"] | None,
    Header(alias="Consent", description="`given`: the person in the photo agreed to its analysis; as a field consent"),
]


def said(*, field: bool | None, header: Literal["given", "refused"] | None) -> bool | None:
    """What a request says of consent; a no in either place is a no, and None is nothing said."""
    of_header = None if header is None else header == "given"
    return False if False in {field, of_header} else field or of_header
