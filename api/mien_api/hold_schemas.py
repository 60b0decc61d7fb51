"""What the operator sends and gets of legal holds and of erasures, in camelCase."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from mien_api.cursors import Page
from mien_api.schemas import RequestSchema, Schema
from mien_core.model.data_classes import DataClass
from mien_core.model.holds import LegalHold, NewLegalHold

_PRINTED = r"^[^\x00-\x1f\x7f]+$"
# a role or a ticket; the audit log names nobody
Requester = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]*$")]
Name = Annotated[str, Field(min_length=1, max_length=512, pattern=_PRINTED)]
TenantName = Annotated[str, Field(min_length=1, max_length=253, pattern=_PRINTED)]
# an id as the application's issuer gives it; an email address is none
OpaqueUserId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^@\x00-\x20\x7f]+$")]


class NewHoldBody(RequestSchema):
    """What must be kept: of one user or of a whole tenant, of some classes or everything. That never changes."""

    name: Name = Field(examples=["mien/case-7"])
    tenant: TenantName = Field(examples=["acme"])
    user_id: OpaqueUserId | None = Field(default=None, examples=["anna"])
    data_classes: Annotated[list[DataClass], Field(min_length=1, max_length=len(DataClass))] | None = Field(
        default=None, examples=[["photos", "analyses"]]
    )
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(examples=["A lawsuit is pending."])
    case_reference: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(default=None, examples=["7/26"])

    def hold(self, hold_id: str) -> NewLegalHold:
        """As the platform has it."""
        return NewLegalHold(
            id=hold_id,
            name=self.name,
            tenant=self.tenant,
            user_id=self.user_id,
            data_classes=None if self.data_classes is None else frozenset(self.data_classes),
            reason=self.reason,
            case_reference=self.case_reference,
        )


class HoldBody(Schema):
    """A hold. Nothing that it covers has gone since createdAt. Lifted, it names its user by pseudonym only."""

    id: UUID
    name: str = Field(examples=["mien/case-7"])
    tenant: str = Field(examples=["acme"])
    user_id: str | None
    subject: str | None = Field(examples=["user:5b0c9d6f4f4c4e0f8d3b6f3e0a1b2c3d"])
    data_classes: list[DataClass] | None = Field(examples=[["photos", "analyses"]])
    reason: str = Field(examples=["A lawsuit is pending."])
    case_reference: str | None = Field(examples=["7/26"])
    created_at: datetime
    released_at: datetime | None


class HoldsPage(Schema):
    """The holds that stand."""

    holds: list[HoldBody]
    next_cursor: str | None


class ErasureState(StrEnum):
    """How far an erasure is. One that is blocked begins when it is asked for again and no hold is in its way."""

    BLOCKED = "blocked"
    ERASING = "erasing"
    ERASED = "erased"
    FAILED = "failed"


class NewErasureBody(RequestSchema):
    """Asks for a user's erasure. Asked for again by its id it is the same one, and begins if it was blocked."""

    id: UUID
    tenant: TenantName = Field(examples=["acme"])
    user_id: OpaqueUserId = Field(examples=["anna"])
    requested_by: Requester = Field(examples=["data-protection"])


class ErasureBody(Schema):
    """An erasure that the operator asked for. subject is whom it is about, by pseudonym; code says why it failed."""

    id: UUID
    state: ErasureState = Field(examples=["erased"])
    subject: str = Field(examples=["user:5b0c9d6f4f4c4e0f8d3b6f3e0a1b2c3d"])
    requested_by: str = Field(examples=["data-protection"])
    job_id: UUID | None
    requested_at: datetime | None
    erased_at: datetime | None
    code: str | None = Field(examples=["deadline_exceeded"])


def hold_body(hold: LegalHold) -> HoldBody:
    """Show a hold."""
    return HoldBody(
        id=UUID(hold.id),
        name=hold.name,
        tenant=hold.tenant,
        user_id=hold.user_id,
        subject=hold.pseudonym,
        data_classes=None if hold.data_classes is None else sorted(hold.data_classes),
        reason=hold.reason,
        case_reference=hold.case_reference,
        created_at=hold.created_at,
        released_at=hold.released_at,
    )


def holds_page(page: Page[LegalHold]) -> HoldsPage:
    """Show a part of the list."""
    return HoldsPage(holds=[hold_body(hold) for hold in page.things], next_cursor=page.next_cursor)
