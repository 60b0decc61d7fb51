"""Where objects live in S3. Every name is made here, so that a retention rule or an erasure misses none."""

import re

_ORIGINAL = re.compile(r"uploads/(?P<upload_id>[0-9a-f-]{36})/original")


def original_key(upload_id: str) -> str:
    """The bytes as the client sent them; deleted once the photo was made from them."""
    return f"uploads/{upload_id}/original"


def photo_key(upload_id: str) -> str:
    """The normalised photo: upright, sRGB, no metadata."""
    return f"uploads/{upload_id}/photo"


def annotated_key(upload_id: str) -> str:
    """The photo with the face's mesh and measures drawn onto it."""
    return f"uploads/{upload_id}/annotated.png"


def mask_key(upload_id: str, concern: str) -> str:
    """Where a measure's evidence lies, white on black, of the photo's size."""
    return f"uploads/{upload_id}/masks/{concern}.png"


def poster_key(job_id: str) -> str:
    """The poster that a job made."""
    return f"posters/{job_id}.png"


def tryon_key(job_id: str) -> str:
    """The photo with a look put on it."""
    return f"tryons/{job_id}.webp"


def asset_key(asset_id: str) -> str:
    """An overlay's picture: nobody's, so no upload's end takes it along."""
    return f"assets/{asset_id}.png"


def upload_id_of_original(key: str) -> str | None:
    """The upload whose original this key is, or None if it is another object."""
    match = _ORIGINAL.fullmatch(key)
    return match["upload_id"] if match else None


def upload_prefix(upload_id: str) -> str:
    """What the keys of all objects of an upload begin with, and no other upload's."""
    return f"uploads/{upload_id}/"


def job_prefixes(job_id: str) -> tuple[str, ...]:
    """What the keys of all objects begin with that a job made, and no other job's."""
    return (f"tryons/{job_id}", f"posters/{job_id}")
