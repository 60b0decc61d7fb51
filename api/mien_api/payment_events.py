"""What the provider's events say of payments: Stripe's payment intents and checkout sessions, and nothing else.

A payment is named by `metadata.payment_id`, or by a session's `client_reference_id`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from mien_core.model.posters import PaymentStatus

_PAID_TYPES: Final = frozenset(
    {"payment_intent.succeeded", "checkout.session.completed", "checkout.session.async_payment_succeeded"}
)
_FAILED_TYPES: Final = frozenset(
    {
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)

# as the provider makes them; what is longer, or has a NUL in it, is none of its own
_Reference = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]


class _Data(BaseModel):
    object: dict[str, Any]


class ProviderEvent(BaseModel):
    """An event's envelope; what it is about has another shape for each type."""

    id: _Reference
    type: str
    data: _Data


class _Paid(BaseModel):
    """A payment intent or a checkout session, as far as it matters here."""

    id: _Reference
    metadata: dict[str, str] | None = None
    client_reference_id: str | None = None
    currency: str | None = None
    amount_received: int | None = None
    amount_total: int | None = None
    payment_status: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """What the provider says of one of our payments; amount is in the currency's smallest unit."""

    payment_id: str
    status: PaymentStatus
    amount: int | None
    currency: str | None
    reference: str


def word_of(event: ProviderEvent) -> Word | None:
    """Understand an event; None if it is about something else, or about a session whose money is still on its way.

    Raises:
        ValidationError: of pydantic, where an event of a known type has another shape.
    """
    if event.type not in _PAID_TYPES | _FAILED_TYPES:
        return None
    paid = _Paid.model_validate(event.data.object)
    payment_id = (paid.metadata or {}).get("payment_id") or paid.client_reference_id
    if payment_id is None:
        return None
    status = PaymentStatus.COMPLETED if event.type in _PAID_TYPES else PaymentStatus.FAILED
    if event.type == "checkout.session.completed" and paid.payment_status != "paid":
        return None
    amount = paid.amount_received if event.type.startswith("payment_intent.") else paid.amount_total
    return Word(payment_id, status, amount, paid.currency, paid.id)
