"""ErasureRequest: how it is looked at, decided and carried out."""

from datetime import datetime

from mien_operator.controller import Resource
from mien_operator.erasures.reconcile import Ask, Observed, reconcile
from mien_operator.erasures.spec import CertificateStatus, ErasureRequestSpec
from mien_operator.internal_holds import ErasuresApi
from mien_operator.plan import Plan


class ErasureController:
    """Meets mien_operator.controller.Controller."""

    kind = "ErasureRequest"

    def __init__(self, api: ErasuresApi) -> None:
        self._api = api

    async def observe(self, resource: Resource[ErasureRequestSpec]) -> Observed:
        """See Controller."""
        erasure = await self._api.get(resource.uid)
        if erasure is None or erasure.state != "erased":
            return Observed(erasure)
        key_id, document = await self._api.certificate(resource.uid)
        return Observed(erasure, CertificateStatus(key_id=key_id, document=document))

    def reconcile(
        self,
        resource: Resource[ErasureRequestSpec],
        observed: Observed,
        now: datetime,  # noqa: ARG002 - what is under way is looked at again, however long it takes
    ) -> Plan[Ask]:
        """See Controller."""
        return reconcile(resource, observed)

    async def perform(self, resource: Resource[ErasureRequestSpec], action: Ask) -> None:  # noqa: ARG002 - the only one
        """See Controller."""
        spec = resource.spec
        await self._api.ask(resource.uid, spec.tenant, spec.user_id, spec.requested_by)
