"""What the Movie Poster Generator's frontend sends and gets, in its snake_case; the field names are the contract's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from mien_api.cursors import Page
from mien_api.poster_handlers import Made
from mien_api.schemas import UserId
from mien_core.model.platform import JobStatus
from mien_core.model.posters import Design, Payment, PaymentStatus, Poster, PosterAccount
from mien_core.model.serving import Aspect
from mien_core.model.texts import BLANK, Label, Line
from mien_core.rules.posters import title_of

Email = Annotated[str, Field(max_length=254, pattern=f"^[^@{BLANK}]+@[^@{BLANK}]+$")]
# all characters but NUL, and one at least that can be seen
Prompt = Annotated[str, Field(min_length=1, max_length=2000, pattern=rf"^[^\x00]*[^{BLANK}][^\x00]*$")]


class NewAccountBody(BaseModel):
    """A user of the generator. A token may leave user_id out; credits and plan are not the client's to say."""

    user_id: UserId | None = Field(default=None, examples=["anna"])
    email: Email | None = Field(default=None, examples=["anna@example.org"])
    name: Line | None = Field(default=None, examples=["Anna"])


class AccountBody(BaseModel):
    """A user of the generator, and what they may spend."""

    user_id: str = Field(examples=["anna"])
    email: str | None = Field(examples=["anna@example.org"])
    name: str | None = Field(examples=["Anna"])
    credits: int = Field(examples=[3])
    plan: str = Field(examples=["free"])


class OrderBody(BaseModel):
    """A poster to be made.

    Without a title the prompt's first words are it. Known genres and styles have looks of their own; any other word
    does, too. upload_id is a photo that was announced with purpose poster.
    """

    user_id: UserId | None = Field(default=None, examples=["anna"])
    prompt: Prompt = Field(examples=["A keeper who hasn't spoken in years finds a door beneath the sea."])
    title: Line | None = Field(default=None, examples=["The Last Lighthouse"])
    genre: Label = Field(default="drama", examples=["mystery"])
    style: Label = Field(default="classic", examples=["noir"])
    aspect: Aspect = Field(default="2:3", examples=["2:3"])
    upload_id: UUID | None = None

    def design(self) -> Design:
        """What is asked for: the same whatever spaces and capitals it is written with."""
        prompt = self.prompt.strip()
        return Design(
            title=(self.title or "").strip() or title_of(prompt),
            prompt=prompt,
            genre=_name(self.genre) or "drama",
            style=_name(self.style) or "classic",
            aspect=self.aspect,
            upload_id=None if self.upload_id is None else str(self.upload_id),
        )


class PosterBody(BaseModel):
    """A poster; poster_url is null until it is completed, and works for as long as presigned URLs do."""

    user_id: str = Field(examples=["anna"])
    timestamp: datetime = Field(examples=["2026-11-20T10:00:00.123456Z"])
    poster_url: str | None = Field(examples=["https://s3.example.org/mien/posters/6f96….png?X-Amz-Signature=…"])
    status: JobStatus = Field(examples=["completed"])
    job_id: str = Field(examples=["6f9619ff-8b86-4011-b42d-00cf4fc964ff"])


class HistoryPosterBody(PosterBody):
    """A line of the history."""

    title: str = Field(examples=["The Last Lighthouse"])
    prompt: str = Field(examples=["A keeper who hasn't spoken in years finds a door beneath the sea."])


class HistoryPage(BaseModel):
    """A part of a user's posters, newest first; next_cursor is null at their end."""

    posters: list[HistoryPosterBody]
    next_cursor: str | None


class PayBody(BaseModel):
    """An order; what a client says of prices is not looked at."""

    user_id: UserId | None = Field(default=None, examples=["anna"])
    pack: Label = Field(examples=["starter"])


class PaymentBody(BaseModel):
    """An order and its price: amount is in the currency's smallest unit, 499 are 4.99 dollars."""

    payment_id: str = Field(examples=["6f9619ff-8b86-4011-b42d-00cf4fc964ff"])
    status: PaymentStatus = Field(examples=["pending"])
    amount: int = Field(examples=[499])
    currency: str = Field(examples=["usd"])
    pack: str = Field(examples=["starter"])
    credits: int = Field(examples=[10])


class ReceivedBody(BaseModel):
    """What the provider is told; payment_id is null where the event is about nothing of ours."""

    received: bool = True
    payment_id: str | None = Field(examples=["6f9619ff-8b86-4011-b42d-00cf4fc964ff"])
    status: PaymentStatus | None = Field(examples=["completed"])


def account_body(account: PosterAccount) -> AccountBody:
    """Show an account."""
    return AccountBody(
        user_id=account.user_id,
        email=account.email,
        name=account.name,
        credits=account.credits,
        plan=account.plan,
    )


def poster_body(made: Made) -> PosterBody:
    """Show a poster as far as it has come."""
    return PosterBody(
        user_id=made.poster.user_id,
        timestamp=made.poster.timestamp,
        poster_url=made.url,
        status=made.job.status,
        job_id=made.job.id,
    )


def history_page(page: Page[Poster], urls: Mapping[str, str]) -> dict[str, Any]:
    """Show a part of a user's posters: a HistoryPage, as it is written."""
    posters = [
        {
            "user_id": one.user_id,
            "timestamp": one.timestamp,
            "poster_url": urls.get(one.job_id),
            "status": one.status,
            "job_id": one.job_id,
            "title": one.design.title,
            "prompt": one.design.prompt,
        }
        for one in page.things
    ]
    return {"posters": posters, "next_cursor": page.next_cursor}


def payment_body(payment: Payment) -> PaymentBody:
    """Show an order."""
    return PaymentBody(
        payment_id=payment.id,
        status=payment.status,
        amount=payment.amount,
        currency=payment.currency,
        pack=payment.pack,
        credits=payment.credits,
    )


def _name(word: str) -> str:
    return " ".join(word.casefold().split())
