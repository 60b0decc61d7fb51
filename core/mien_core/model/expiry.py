"""Photos whose time is over."""

from dataclasses import dataclass

from mien_core.model.platform import Purpose


@dataclass(frozen=True, slots=True)
class ExpiredPhoto:
    """An upload that is to go, and the jobs that go with it."""

    upload_id: str
    purpose: Purpose
    job_ids: tuple[str, ...]
