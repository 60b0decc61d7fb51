"""The nouns of legal holds: what must be kept, whatever else is said of it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mien_core.errors import Conflict
from mien_core.model.data_classes import DataClass

# What goes along with a job, and what with a photo: a hold on any of it keeps the whole.
WITH_JOB: Final = (
    DataClass.DERIVED_IMAGES,
    DataClass.ANALYSES,
    DataClass.LOOKS,
    DataClass.TRYON_SESSIONS,
    DataClass.POSTERS,
    DataClass.DEAD_LETTERS,
    DataClass.JOB_EVENTS,
)
WITH_UPLOAD: Final = (DataClass.PHOTOS, *WITH_JOB)


def legal_hold() -> Conflict:
    """What is told to whoever would delete, or write over, what must be kept."""
    detail = (
        "This must be kept: a legal hold covers it. Ask whoever runs this platform, or try again when it is lifted."
    )
    return Conflict("legal_hold", detail)


@dataclass(frozen=True, slots=True)
class NewLegalHold:
    """A hold as it is written.

    Args:
        id: the resource's own for ever (its uid).
        name: what people call it.
        tenant: whose data it is about.
        user_id: the one user it is about; None means all of the tenant, and what is nobody's.
        data_classes: what of theirs; None means everything.
        reason: why, for people.
        case_reference: the case's own number.
    """

    id: str
    name: str
    tenant: str
    user_id: str | None
    data_classes: frozenset[DataClass] | None
    reason: str
    case_reference: str | None = None

    def covers_any(self, tenant: str, user_id: str | None, classes: Collection[DataClass]) -> bool:
        """Tell whether it keeps something of one of these classes; without any, what belongs to no class."""
        return (
            self.tenant == tenant
            and self.user_id in {None, user_id}
            and (self.data_classes is None or not self.data_classes.isdisjoint(classes))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold(NewLegalHold):
    """A hold as it stands, or stood. One that was released names its user by pseudonym only; user_id is None then.

    Args:
        pseudonym: of the one user that it is, or was, about.
        created_at: nothing that it covers has gone since then.
        released_at: since when it keeps nothing.
    """

    pseudonym: str | None = None
    created_at: datetime
    released_at: datetime | None = None


def check_same(known: LegalHold, hold: NewLegalHold) -> None:
    """Let pass a hold that is written again as it was.

    Raises:
        Conflict: hold_differs, hold_released.
    """
    if known.released_at is not None:
        raise Conflict("hold_released", "This hold was released and keeps nothing any more. Write another one.")
    if (known.tenant, known.user_id, known.data_classes) != (hold.tenant, hold.user_id, hold.data_classes):
        detail = "A hold with this id covers something else, and what one covers never changes. Write another one."
        raise Conflict("hold_differs", detail)
