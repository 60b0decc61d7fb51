"""Forms with a photo in them (multipart/form-data), read into memory: a photo never touches this machine's disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from mien_core.errors import Rejected

# What a form may take beside its photo: boundaries, part headers, and the fields below.
OVERHEAD_BYTES: Final = 64 * 1024
_FIELDS: Final = 16
_FIELD_BYTES: Final = 4 * 1024

_MEDIA_TYPE: Final = "multipart/form-data"
# the field that a photo comes in
_PHOTO: Final = "image"

AnySchema = TypeVar("AnySchema", bound=BaseModel)


@dataclass(frozen=True)
class Form:
    """A form's fields by name, and the content of its files by the names of their fields; of repeats the last counts.

    What a file calls itself and its type is left out: a client may claim anything.
    """

    fields: Mapping[str, str]
    files: Mapping[str, bytes]


class _InMemoryParser(MultiPartParser):
    # 0 is "never onto the disk" to the standard library's SpooledTemporaryFile; the body's own limit is the bound
    spool_max_size = 0


async def read_form(request: Request) -> Form:
    """Read the request's form; a body of another type is a form without fields.

    Raises:
        Rejected: malformed_form.
        HTTPException: 413, from the middleware that counts what is received.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        return Form({}, {})
    parser = _InMemoryParser(
        request.headers, request.stream(), max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES
    )
    try:
        parts = (await parser.parse()).multi_items()
    except (MultiPartException, ClientDisconnect) as error:
        reason = error.message if isinstance(error, MultiPartException) else "It ended before its end."
        raise Rejected("malformed_form", f"The body is not the form that its header announces. {reason}") from error
    # a file in memory needs no closing: it goes with its parser
    files = {name: await part.read() for name, part in parts if isinstance(part, UploadFile)}
    return Form({name: part for name, part in parts if isinstance(part, str)}, files)


async def read_photo_form(request: Request, schema: type[AnySchema]) -> AnySchema:
    """Read a form with a photo: that comes as a file, and nothing else does.

    Raises:
        RequestValidationError: with what is missing or wrong.
        Rejected: malformed_form.
        HTTPException: 413, from the middleware that counts what is received.
    """
    read = await read_form(request)
    texts = {name: text for name, text in read.fields.items() if name != _PHOTO}
    return validated(schema, {**texts, **{name: read.files[name] for name in read.files if name == _PHOTO}})


def validated(schema: type[AnySchema], sent: bytes | Mapping[str, Any]) -> AnySchema:
    """Make a schema of what was sent, as JSON or as a form's fields.

    Raises:
        RequestValidationError: with what is missing or wrong.
    """
    try:
        return schema.model_validate_json(sent) if isinstance(sent, bytes) else schema.model_validate(sent)
    except ValidationError as error:
        raise invalid_body(error) from error


def invalid_body(error: ValidationError, *place: str) -> RequestValidationError:
    """Say of a body that a route read itself what FastAPI says of those that it reads; place is where in the body."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return RequestValidationError([{**one, "loc": ("body", *place, *one["loc"])} for one in found])
