"""What tells whether an answer would come out the same: the model revision, and the version of what it measures.

The router compares, a replica writes: both import this module, which loads neither models nor OpenCV.
"""

from typing import Final

# Raise it with every change to what is measured, drawn or answered for the same pixels: answers that were kept are
# computed anew from then on.
MEASURES: Final = 1


def etag_of(revision: str) -> str:
    """The etag of what a revision answers, whatever the photo: without quotes, opaque to others."""
    return f"{revision}/{MEASURES}"


def names(if_none_match: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match header (RFC 9110, section 13.1.2) names this etag.

    Tags may be weak and several. `*` names none: it asks whether there is anything at all, which is no question here.
    """
    tags = (tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(","))
    return f'"{etag}"' in tags
