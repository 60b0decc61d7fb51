"""Legal holds and erasures as the api shows them, and the way to them."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from mien_core.errors import Missing
from mien_operator.internal_api import InternalApi

_HOLDS: Final = "/holds"
_ERASURES: Final = "/erasures"


class _Part(BaseModel):
    # what a newer api says besides is not looked at
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Hold(_Part):
    """A hold as it stands, or stood."""

    id: str
    name: str
    reason: str
    case_reference: str | None
    created_at: datetime
    released_at: datetime | None


class Erasure(_Part):
    """An erasure. state is blocked, erasing, erased or failed; code says why it failed."""

    id: str
    state: str
    subject: str
    job_id: str | None
    requested_at: datetime | None
    erased_at: datetime | None
    code: str | None


class HoldsApi:
    """The endpoints of legal holds; errors are InternalApi's."""

    def __init__(self, api: InternalApi) -> None:
        self._api = api

    async def get(self, hold_id: str) -> Hold | None:
        """Look at a hold; None if there is none."""
        try:
            return Hold.model_validate(await self._api.get(f"{_HOLDS}/{hold_id}"))
        except Missing:
            return None

    async def place(self, hold_id: str, wanted: dict[str, Any]) -> None:
        """Write a hold; again, it changes nothing but what is said about it."""
        await self._api.call("PUT", f"{_HOLDS}/{hold_id}", body=wanted)

    async def release(self, hold_id: str) -> None:
        """Lift a hold; one that isn't there keeps nothing either."""
        try:
            await self._api.call("DELETE", f"{_HOLDS}/{hold_id}")
        except Missing:
            return


class ErasuresApi:
    """The endpoints of erasures; errors are InternalApi's."""

    def __init__(self, api: InternalApi) -> None:
        self._api = api

    async def get(self, request_id: str) -> Erasure | None:
        """Look at an erasure; None if nobody asked for it."""
        try:
            return Erasure.model_validate(await self._api.get(f"{_ERASURES}/{request_id}"))
        except Missing:
            return None

    async def ask(self, request_id: str, tenant: str, user_id: str, requested_by: str) -> None:
        """Ask for an erasure; again, it begins if it was blocked and isn't any more."""
        body = {"id": request_id, "tenant": tenant, "userId": user_id, "requestedBy": requested_by}
        await self._api.post(_ERASURES, body)

    async def certificate(self, request_id: str) -> tuple[str, str]:
        """Read what proves an erasure: the id of the key that it is signed with, and the certificate itself."""
        said = await self._api.get(f"{_ERASURES}/{request_id}/certificate")
        return str(said["keyId"]), to_json(said).decode()
