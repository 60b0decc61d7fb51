"""RetentionPolicy: how it is looked at, decided and carried out."""

from datetime import datetime
from typing import assert_never

from mien_operator.controller import Resource
from mien_operator.plan import Plan
from mien_operator.retention.reconcile import Action, Approve, Ask, Observed, Stop, reconcile
from mien_operator.retention.runs import RetentionApi
from mien_operator.retention.spec import RetentionPolicySpec


class RetentionController:
    """Meets mien_operator.controller.Controller."""

    kind = "RetentionPolicy"

    def __init__(self, api: RetentionApi) -> None:
        self._api = api

    async def observe(self, resource: Resource[RetentionPolicySpec]) -> Observed:
        """See Controller. The api knows all runs, so that nothing depends on what the status says."""
        return Observed(await self._api.newest(resource.uid))

    def reconcile(self, resource: Resource[RetentionPolicySpec], observed: Observed, now: datetime) -> Plan[Action]:
        """See Controller."""
        return reconcile(resource, observed, now)

    async def perform(self, resource: Resource[RetentionPolicySpec], action: Action) -> None:
        """See Controller."""
        match action:
            case Ask():
                policy = f"{resource.namespace}/{resource.name}"
                await self._api.ask(action.run_id, resource.uid, policy, action.scheduled_at, action.wanted)
            case Approve():
                await self._api.approve(action.run_id)
            case Stop():
                await self._api.stop(action.run_id, action.reason)
            case _:
                assert_never(action)
