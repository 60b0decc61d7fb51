"""ETags (RFC 9110, section 8.8.3) of rows that count their versions, and the conditions that are made of them.

An ETag is the row's version and what else its representation shows, so it is a strong one. If-Match asks whether
somebody wrote meanwhile, and looks at the version alone: what is derived may change without anybody's writing.
"""

import re
from typing import Annotated, Final

from fastapi import Header

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# as far as the database counts, almost
_VERSION: Final = re.compile(r"([1-9][0-9]{0,8})(?:-.*)?")

IfMatch = Annotated[
    str | None,
    Header(description="the ETag that you know; 412 if somebody wrote since. Without it the last writing wins."),
]
IfNoneMatch = Annotated[str | None, Header(description="the ETags that you have; 304 if one of them is current")]


def etag_of(version: int, derived: object = None) -> str:
    """Make the ETag of a version, and of what else is shown that the version doesn't tell; no quotes in there."""
    return f'"{version}"' if derived is None else f'"{version}-{derived}"'


def versions_allowed(if_match: str | None) -> frozenset[int] | None:
    """Tell which versions may be written over; None is whichever there is.

    Weak tags and what is no tag allow none: the condition is a strong comparison, and one that can't be met.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    strong = [tag for weak, tag in _TAG.findall(if_match) if not weak]
    return frozenset(int(found[1]) for found in map(_VERSION.fullmatch, strong) if found)


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the client has what it would get."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in {f'"{tag}"' for _, tag in _TAG.findall(if_none_match)}
