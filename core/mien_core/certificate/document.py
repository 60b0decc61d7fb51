"""What a certificate says. Its form is the schema below; a change of it is another format, with a name of its own."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.model.audit import AuditRow
from mien_core.rules.audit import written

FORMAT: Final = "mien.dev/erasure-certificate/v1"

_ID: Final = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_SUBJECT: Final = "user:5b0c9d6f4f4c4e0f8d3b6f3e0a1b2c3d"

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["5f" * 32])]
Moment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        examples=["2026-11-20T10:00:00.000000Z"],
    ),
]
Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Link(_Part):
    """A row of the audit log, with what binds it to the one before it."""

    action: Name = Field(examples=["user.erased"])
    actor: Name = Field(examples=["erase-user"])
    at: Moment
    position: Annotated[int, Field(ge=1, examples=[4711])]
    subject: Name = Field(examples=[_SUBJECT])
    previous: Hash
    hash: Hash

    @classmethod
    def of(cls, row: AuditRow) -> "Link":
        """Write a row."""
        return cls(
            action=row.action,
            actor=row.actor,
            at=written(row.at),
            position=row.position,
            subject=row.subject,
            previous=row.previous.hex(),
            hash=row.hash.hex(),
        )

    @property
    def said(self) -> dict[str, str | int]:
        """What the row says, as its hash is over it."""
        return self.model_dump(exclude={"previous", "hash"})


class Audit(_Part):
    """Where the audit log tells of the erasure's beginning and of its end."""

    requested: Link
    erased: Link


class DeletedData(_Part):
    """What was deleted: rows by table, and objects with all their versions."""

    rows: dict[Name, Annotated[int, Field(ge=1)]] = Field(examples=[{"uploads": 2, "jobs": 3}])
    objects: Count = Field(examples=[6])


class SecondScan(_Part):
    """What was looked at again, after the last deletion, and in the transaction that ended the erasure."""

    at: Moment
    tables: tuple[Name, ...] = Field(strict=False, min_length=1, examples=[["jobs", "uploads"]])
    rows_found: Literal[0] = 0


class Software(_Part):
    """What has erased, and signs for it."""

    name: Literal["mien"] = "mien"
    version: Name = Field(examples=["0.1.0"])


class Statement(_Part):
    """All that a certificate says."""

    format: Literal["mien.dev/erasure-certificate/v1"] = FORMAT
    subject: Annotated[str, Field(pattern=r"^user:[0-9a-f]{32}$", examples=[_SUBJECT])]
    job_id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[_ID])]
    requested_at: Moment
    erased_at: Moment
    deleted: DeletedData
    second_scan: SecondScan
    audit: Audit
    software: Software
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", examples=["5f" * 8])]


class SignedStatement(Statement):
    """A certificate."""

    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$", examples=["5f" * 64])]
