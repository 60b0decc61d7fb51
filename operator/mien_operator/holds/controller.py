"""LegalHold: how it is looked at, decided and carried out."""

from datetime import datetime
from typing import assert_never

from mien_operator.controller import Resource
from mien_operator.holds.reconcile import Action, Observed, Place, Release, reconcile
from mien_operator.holds.spec import LegalHoldSpec
from mien_operator.internal_holds import HoldsApi
from mien_operator.plan import Plan


class LegalHoldController:
    """Meets mien_operator.controller.Controller."""

    kind = "LegalHold"

    def __init__(self, api: HoldsApi) -> None:
        self._api = api

    async def observe(self, resource: Resource[LegalHoldSpec]) -> Observed:
        """See Controller. The api knows all holds, so that nothing depends on what the status says."""
        return Observed(await self._api.get(resource.uid))

    def reconcile(
        self,
        resource: Resource[LegalHoldSpec],
        observed: Observed,
        now: datetime,  # noqa: ARG002 - a hold has no time of its own
    ) -> Plan[Action]:
        """See Controller."""
        return reconcile(resource, observed)

    async def perform(self, resource: Resource[LegalHoldSpec], action: Action) -> None:
        """See Controller."""
        match action:
            case Place():
                await self._api.place(resource.uid, action.wanted)
            case Release():
                await self._api.release(resource.uid)
            case _:
                assert_never(action)
