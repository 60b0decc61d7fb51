"""The Movie Poster Generator: accounts and their credits, posters, payments."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from mien_core.model.platform import JobStatus
from mien_core.model.serving import Aspect


class EntryKind(StrEnum):
    """Why credits come or go."""

    WELCOME = "welcome"
    DEBIT = "debit"
    GIVE_BACK = "give_back"
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Credits that came (amount > 0) or went (amount < 0); a user's balance is the sum of their entries.

    job_id and attempt name what was paid for, or given back for: attempt is Job.redrives. payment_id is a purchase's.
    """

    kind: EntryKind
    amount: int
    job_id: str | None
    attempt: int | None
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class PosterAccount:
    """A user of the generator; credits is the balance of their ledger."""

    tenant: str
    user_id: str
    email: str | None
    name: str | None
    plan: str
    credits: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Design:
    """What a poster is to be; upload_id is the photo that it is to show, if any."""

    title: str
    prompt: str
    genre: str
    style: str
    aspect: Aspect
    upload_id: str | None


@dataclass(frozen=True, slots=True)
class NewPoster:
    """A line of a user's history, to be saved; the picture is made by its job. fingerprint is the design's."""

    job_id: str
    tenant: str
    user_id: str
    design: Design
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Poster(NewPoster):
    """A saved line: timestamp is the user's alone, status the job's."""

    timestamp: datetime
    status: JobStatus


class PosterPosition(NamedTuple):
    """Where a poster stands in its user's history."""

    timestamp: datetime


def position_of(poster: Poster) -> PosterPosition:
    """Tell where a poster stands in its list."""
    return PosterPosition(poster.timestamp)


class PaymentStatus(StrEnum):
    """pending until the provider says what came of it; what failed may still be paid, what was completed stays so."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewPayment:
    """An order, at the price of its moment.

    amount is in the currency's smallest unit (cents), currency three small letters (ISO 4217). plan is None where the
    pack is credits alone.
    """

    id: str
    tenant: str
    user_id: str
    pack: str
    amount: int
    currency: str
    credits: int
    plan: str | None


@dataclass(frozen=True, slots=True)
class Payment(NewPayment):
    """A saved order; provider_reference is how the provider calls what was paid."""

    status: PaymentStatus
    provider_reference: str | None
    created_at: datetime
