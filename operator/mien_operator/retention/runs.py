"""Runs of retention as the api shows them, and the way to them."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from mien_core.model.data_classes import DataClass
from mien_core.model.retention import Store
from mien_operator.internal_api import InternalApi
from mien_operator.retention.spec import RetentionPolicySpec, duration

_RUNS: Final = "/retention/runs"
_ENDED: Final = frozenset({"stopped", "done", "failed"})
# all that decides what a run does: one that was asked for otherwise isn't the one that is wanted
_WANTED: Final = ("rules", "mode", "tenants", "limits", "proposalTtlSeconds")


class _Part(BaseModel):
    # what a newer api says besides is not looked at
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Counts(_Part):
    """What came of it."""

    total: int
    listed: int
    size: int
    deleted: int
    held: int
    skipped: int


class CountedRule(_Part):
    """A rule, and what came of it."""

    store: Store
    data_class: DataClass
    ttl_seconds: int
    grace_seconds: int
    counts: Counts


class Run(_Part):
    """A run. as_of is when it was asked for, by the database's clock."""

    id: str
    scheduled_at: datetime
    mode: str
    state: str
    reason: str | None
    rules: tuple[CountedRule, ...]
    tenants: tuple[str, ...]
    limits: dict[str, int]
    proposal_ttl_seconds: int
    counts: Counts
    as_of: datetime
    expires_at: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing comes after its state."""
        return self.state in _ENDED

    def is_of(self, wanted: dict[str, Any]) -> bool:
        """Tell whether it does what is wanted, as wanted_of has it."""
        shown = self.model_dump(by_alias=True, mode="json")
        for rule in shown["rules"]:
            del rule["counts"]
        return all(shown[name] == wanted[name] for name in _WANTED)


def wanted_of(spec: RetentionPolicySpec) -> dict[str, Any]:
    """What a policy wants of a run, as the api takes it."""
    return {
        "rules": [
            {
                "store": rule.store.value,
                "dataClass": rule.data_class.value,
                "ttlSeconds": int(duration(rule.ttl).total_seconds()),
                "graceSeconds": int(duration(rule.grace_period).total_seconds()),
            }
            for rule in spec.rules
        ],
        "mode": spec.mode.value,
        "tenants": list(dict.fromkeys(spec.selector.tenants)),
        "limits": {
            "rowsPerSecond": spec.limits.rows_per_second,
            "objectsPerSecond": spec.limits.objects_per_second,
            "maxDeletes": spec.limits.max_deletes_per_run,
            "maxPercent": spec.limits.max_percent_per_run,
        },
        "proposalTtlSeconds": int(duration(spec.proposal_ttl).total_seconds()),
    }


class RetentionApi:
    """The endpoints of retention; errors are InternalApi's."""

    def __init__(self, api: InternalApi) -> None:
        self._api = api

    async def newest(self, policy_id: str) -> Run | None:
        """The run of a policy that was asked for last."""
        found = await self._api.get(_RUNS, {"policyId": policy_id, "limit": "1"})
        return Run.model_validate(found["runs"][0]) if found["runs"] else None

    async def ask(
        self, run_id: str, policy_id: str, policy: str, scheduled_at: datetime, wanted: dict[str, Any]
    ) -> None:
        """Ask for a run; again by its id, it is the run that it was."""
        body = {
            "id": run_id,
            "policyId": policy_id,
            "policy": policy,
            "scheduledAt": scheduled_at.isoformat(),
            **wanted,
        }
        await self._api.post(_RUNS, body)

    async def approve(self, run_id: str) -> None:
        """Approve a proposal; a second time changes nothing."""
        await self._api.post(f"{_RUNS}/{run_id}/approve")

    async def stop(self, run_id: str, reason: str) -> None:
        """Stop a run; one that has ended stays as it ended."""
        await self._api.post(f"{_RUNS}/{run_id}/stop", {"reason": reason})
