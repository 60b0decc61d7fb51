"""Forms with a photo in them (multipart/form-data), read into memory: a photo never touches this machine's disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from mien_core.errors import Rejected

# What a form may take beside its photo: boundaries, part headers, and the fields below.
OVERHEAD_BYTES: Final = 64 * 1024
_FIELDS: Final = 16
_FIELD_BYTES: Final = 4 * 1024

_MEDIA_TYPE: Final = "multipart/form-data"


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
