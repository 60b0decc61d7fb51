"""What POST /pay does in its two forms: a user orders, the provider says what came of it. No HTTP in here."""

from dataclasses import dataclass
from typing import Final

from mien_api.ids import new_id
from mien_api.payment_events import Word
from mien_api.payment_signatures import check_signature
from mien_api.poster_handlers import owner_of
from mien_api.poster_settings import PosterSettings
from mien_core.errors import Conflict, Missing, Rejected, Unavailable
from mien_core.model.platform import Caller
from mien_core.model.posters import NewPayment, Payment, PaymentStatus
from mien_core.ports.database import Database
from mien_core.rules.posters import is_price_of, may_become

# as whom the provider stands in the audit log
ACTOR: Final = "payment-provider"

_UNCONFIGURED_SECONDS: Final = 60.0


@dataclass(frozen=True)
class PaymentHandlers:
    """The endpoint's handlers."""

    database: Database
    settings: PosterSettings

    async def order(self, caller: Caller, user_id: str | None, pack: str) -> Payment:
        """Note an order, at the price of the list: what the user sent of a price was never looked at.

        Raises:
            Missing: user_not_found, if the caller may not act for that user.
            Rejected: user_id_missing, unknown_pack.
            Unavailable: payments_unavailable, where nothing can be bought.
        """
        owner = owner_of(caller, user_id)
        self._secret()
        bought = self.settings.packs.get(pack)
        if bought is None:
            packs = ", ".join(sorted(self.settings.packs))
            raise Rejected("unknown_pack", f"There is no such pack. There are: {packs}.")
        payment = NewPayment(
            id=new_id(),
            tenant=caller.tenant,
            user_id=owner,
            pack=pack,
            amount=bought.amount,
            currency=bought.currency,
            credits=bought.credits,
            plan=bought.plan,
        )
        async with self.database.transaction() as transaction:
            await transaction.poster_accounts.open(caller.tenant, owner, self.settings.welcome_credits)
            return await transaction.payments.add(payment)

    def check_signature(self, header: str, body: bytes, now: float) -> None:
        """Refuse an event that isn't the provider's.

        Args:
            header: the value of Stripe-Signature.
            body: as it came, byte for byte.
            now: seconds since 1970.

        Raises:
            Rejected: signature_invalid, signature_too_old.
            Unavailable: payments_unavailable, where there is no secret.
        """
        tolerance = self.settings.payment_tolerance_seconds
        check_signature(header, body, self._secret(), now=now, tolerance_seconds=tolerance)

    async def settle(self, word: Word) -> Payment:
        """Do what the provider's word means for a payment: once, however often and in which order words come.

        Raises:
            Missing: payment_not_found.
            Conflict: payment_mismatch, where another amount or currency was paid; it changes nothing, and is noted.
        """
        async with self.database.transaction() as transaction:
            payment = await transaction.payments.lock(word.payment_id)
            if payment is None:
                raise Missing("payment_not_found", "There is no such payment. Send events of this platform's alone.")
            if not may_become(payment, word.status):
                return payment
            said = f"{payment.id}: {word.amount} {word.currency} ({word.reference})"
            paid = word.status is PaymentStatus.COMPLETED
            matches = not paid or is_price_of(payment, word.amount, word.currency)
            if matches:
                payment = await transaction.payments.settle(payment, word.status, word.reference)
            action = word.status if matches else "mismatched"
            await transaction.audit_log.add(ACTOR, f"payment.{action}", said)
        if not matches:
            detail = f"The payment is {payment.amount} {payment.currency}, not {word.amount} {word.currency}."
            raise Conflict("payment_mismatch", f"{detail} Nothing was credited; it is in the audit log.")
        return payment

    def _secret(self) -> str:
        if self.settings.payment_secret is None:
            detail = "Nothing can be bought here: the payment provider's secret is not configured."
            raise Unavailable("payments_unavailable", detail, _UNCONFIGURED_SECONDS)
        return self.settings.payment_secret.get_secret_value()
