"""Kubernetes Events (events.k8s.io/v1): what happened to a resource, as `kubectl describe` shows it."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from mien_core.errors import Conflict
from mien_operator.cluster.api import ClusterApi
from mien_operator.plan import Note

CONTROLLER: Final = "mien.dev/operator"
# limits of events.k8s.io/v1
_NOTE_BYTES: Final = 1024
_REASON_LENGTH: Final = 128
_NAME_LENGTH: Final = 200


class Events:
    """Tells notes; one that was told within the hour that the API server keeps it is counted.

    Its name follows from what it says, so that counting needs no memory here and outlives the process.
    """

    def __init__(self, api: ClusterApi, instance: str) -> None:
        self._api = api
        self._instance = instance[-_REASON_LENGTH:]

    async def tell(self, body: Mapping[str, Any], note: Note, now: datetime) -> None:
        """Tell a note of a resource.

        Raises:
            MienError: as ClusterApi.call says.
        """
        about = body["metadata"]
        path = f"/apis/events.k8s.io/v1/namespaces/{quote(about['namespace'], safe='')}/events"
        event = self._event(body, note, now)
        try:
            await self._api.create(path, event)
        except Conflict:
            place = f"{path}/{event['metadata']['name']}"
            told = await self._api.get(place)
            series = told.get("series") or {"count": 1}
            again = {"count": series["count"] + 1, "lastObservedTime": _micro_time(now)}
            await self._api.merge(place, {"series": again})

    def _event(self, body: Mapping[str, Any], note: Note, now: datetime) -> dict[str, Any]:
        about = body["metadata"]
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": _name(body, note), "namespace": about["namespace"]},
            "eventTime": _micro_time(now),
            "type": note.type.value,
            "reason": note.reason[:_REASON_LENGTH],
            "note": note.message.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "action": "Reconcile",
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": body["apiVersion"],
                "kind": body["kind"],
                "namespace": about["namespace"],
                "name": about["name"],
                "uid": about["uid"],
            },
        }


def _name(body: Mapping[str, Any], note: Note) -> str:
    about = body["metadata"]
    said = "\0".join((about["uid"], note.type.value, note.reason, note.message))
    return f"{about['name'][:_NAME_LENGTH]}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
