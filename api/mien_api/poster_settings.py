"""What posters and credits cost, and whose word about payments counts."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from mien_core.model.texts import Label


class Pack(BaseModel):
    """Something to buy: credits, a plan, or both. amount is in the currency's smallest unit: 499 are 4.99 dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(gt=0, lt=2**31)
    currency: str = Field(default="usd", pattern=r"^[a-z]{3}$")
    credits: int = Field(default=0, ge=0, lt=2**31)
    plan: Label | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.credits and self.plan is None:
            raise PydanticCustomError("empty_pack", "a pack needs credits or a plan")
        return self


PACKS: Final[Mapping[str, Pack]] = {
    "starter": Pack(amount=499, credits=10),
    "studio": Pack(amount=1999, credits=50),
    "pro": Pack(amount=3999, credits=120, plan="pro"),
}


class PosterSettings(BaseModel):
    """The Movie Poster Generator's.

    welcome_credits is what a new account has. packs is the price list. payment_secret signs the provider's events; as
    long as it isn't set nothing can be bought. An event may be payment_tolerance_seconds old, by its own time.
    """

    model_config = ConfigDict(frozen=True)

    welcome_credits: int = Field(default=3, ge=0, lt=2**31)
    packs: Mapping[Label, Pack] = PACKS
    payment_secret: Annotated[SecretStr, Field(min_length=16)] | None = None
    payment_tolerance_seconds: float = Field(default=300.0, gt=0)
