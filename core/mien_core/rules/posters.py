"""Posters: what they cost, when two are the same, how one is called, and what a provider's word does to a payment."""

import hashlib
import json
from dataclasses import astuple
from typing import Final

from mien_core.model.platform import JobKind
from mien_core.model.posters import Design, Payment, PaymentStatus

# For as long a design asked for again is the poster that there is: a GET that spends may be repeated by any browser.
SAME_SECONDS: Final = 3600.0

_COSTS: Final = {JobKind.RENDER_POSTER: 1}

_WORDS_OF_A_TITLE: Final = 5
_LETTERS_OF_A_TITLE: Final = 60
_SENTENCE_ENDS: Final = ".!?;:\n"


def cost_of(kind: JobKind) -> int:
    """Tell how many credits a job of this kind takes from its user; 0 for what is free."""
    return _COSTS.get(kind, 0)


def fingerprint_of(design: Design) -> bytes:
    """Give the same bytes for the same design alone; SHA-256 of all that it says."""
    return hashlib.sha256(json.dumps(astuple(design)).encode()).digest()


def title_of(prompt: str) -> str:
    """Call a poster by its prompt: the first words of its first sentence, each with a capital."""
    ends = [place for place in (prompt.strip().find(end) for end in _SENTENCE_ENDS) if place > 0]
    words = prompt.strip()[: min(ends, default=None)].split()[:_WORDS_OF_A_TITLE]
    title = " ".join(word[:1].upper() + word[1:] for word in words)
    return title[:_LETTERS_OF_A_TITLE].strip() or "Untitled"


def is_price_of(payment: Payment, amount: int | None, currency: str | None) -> bool:
    """Tell whether this is what the payment's order costs, to the cent and in its currency."""
    return (amount, (currency or "").lower()) == (payment.amount, payment.currency)


def may_become(payment: Payment, status: PaymentStatus) -> bool:
    """Tell whether a payment changes by this word of the provider.

    Words come twice, late and in any order: what was paid stays paid, and what failed may be tried again and be paid.
    """
    return payment.status is not PaymentStatus.COMPLETED and payment.status is not status
