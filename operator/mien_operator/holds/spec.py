"""LegalHold as people write it and read it: whose data must be kept, and since when it is."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.model.data_classes import DataClass
from mien_operator.cel import CelRule

Tenant = Annotated[str, Field(min_length=1, max_length=253)]
# An id, as the application's issuer gives it. An email address is none: whoever reads resources would read it.
OpaqueUserId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^@\x00-\x20\x7f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class LegalHoldSpec(_Part):
    """Whose data must be kept, and why. What it covers never changes."""

    tenant: Tenant = Field(description="The tenant whose data it is.")
    user_id: OpaqueUserId | None = Field(
        default=None,
        description="The one user that it is about, by the opaque id that the application knows, never an email"
        " address. Without it, all users of the tenant, and what is nobody's.",
    )
    data_classes: tuple[DataClass, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=len(DataClass),
        description="What of theirs must be kept. Without it, everything.",
    )
    reason: str = Field(
        min_length=1,
        max_length=1024,
        description="Why, for those who ask what keeps the data. Name nobody: it outlives the hold.",
    )
    case_reference: str | None = Field(
        default=None, min_length=1, max_length=253, description="The case's own number, where it has one."
    )


class LegalHoldStatus(_Part):
    """Since when it holds; conditions and observedGeneration stand beside it."""

    held_since: datetime | None = Field(
        default=None, description="Nothing that it covers has gone since then, by the database's clock."
    )


# A hold that became smaller would release something in passing; what isn't set is compared as well.
RULES: Final = (
    CelRule(
        rule="self.tenant == oldSelf.tenant"
        " && has(self.userId) == has(oldSelf.userId)"
        " && (!has(self.userId) || self.userId == oldSelf.userId)"
        " && has(self.dataClasses) == has(oldSelf.dataClasses)"
        " && (!has(self.dataClasses) || self.dataClasses == oldSelf.dataClasses)",
        message="What a hold covers can't be changed. Make another LegalHold, wait until it is Ready, and delete this"
        " one.",
    ),
    CelRule(
        rule="!has(self.dataClasses) || self.dataClasses.all(c, self.dataClasses.exists_one(o, o == c))",
        message="A data class is named twice; name it once.",
    ),
)
