"""ErasureRequest as people write it and read it: whom to erase, how far that is, and what proves it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_operator.cel import CelRule
from mien_operator.holds.spec import OpaqueUserId, Tenant

# It goes into the audit log, which names nobody: a role or a ticket.
Requester = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Phase(StrEnum):
    """How far it is."""

    PENDING = "Pending"
    BLOCKED = "Blocked"
    ERASING = "Erasing"
    ERASED = "Erased"
    FAILED = "Failed"


class ErasureRequestSpec(_Part):
    """Whom to erase, and who asked for it. It never changes."""

    tenant: Tenant = Field(description="The tenant whose user it is.")
    user_id: OpaqueUserId = Field(
        description="The user, by the opaque id that the application knows, never an email address."
    )
    requested_by: Requester = Field(
        description="Who asked: a role or a ticket, and nobody's name, for it stands in the audit log for good.",
        examples=["data-protection", "ticket/4711"],
    )


class CertificateStatus(_Part):
    """What proves the erasure."""

    key_id: str = Field(description="The id of the key that it is signed with.")
    document: str = Field(
        description="The certificate itself, as python -m mien_core.certificate verify reads it.", max_length=65536
    )


class ErasureRequestStatus(_Part):
    """How far it is; conditions and observedGeneration stand beside it."""

    phase: Phase | None = Field(
        default=None,
        description="Pending: not begun. Blocked: a legal hold covers the user. Erasing: under way. Erased: nothing is"
        " left. Failed: it gave up, and is asked for again by deleting this resource and making another one.",
    )
    job_id: str | None = Field(default=None, description="The job that does it, or did; GET /jobs/{id} shows it.")
    subject: str | None = Field(default=None, description="The pseudonym under which the audit log names the user.")
    requested_at: datetime | None = Field(default=None, description="When the job was asked for.")
    erased_at: datetime | None = Field(default=None, description="When nothing was left.")
    certificate: CertificateStatus | None = Field(default=None, description="What proves it.")


RULES: Final = (
    CelRule(
        rule="self == oldSelf",
        message="Whom it is about can't be changed. Make another ErasureRequest.",
    ),
)
