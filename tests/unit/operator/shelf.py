"""Resources in memory, with versions and refusals as the API server has them."""

from collections.abc import Mapping
from typing import Any

from mien_operator.crds.definition import API_VERSION, Kind
from mien_operator.interruptions import Gone, Stale
from tests.widgets import WIDGET


class Shelf:
    """Where widgets stand."""

    def __init__(self) -> None:
        self.version = 0
        self.documents: dict[str, dict[str, Any]] = {}
        self.writes = 0

    def put(self, name: str, finalizers: tuple[str, ...] = (), **spec: Any) -> dict[str, Any]:
        """Somebody creates or changes a widget."""
        before = self.documents.get(name, {"metadata": {"generation": 0}})
        metadata = {
            "namespace": "here",
            "name": name,
            "uid": f"uid-{name}",
            "generation": before["metadata"]["generation"] + 1,
            "creationTimestamp": "2026-05-04T12:00:00Z",
            "finalizers": list(finalizers),
        }
        whole = {"apiVersion": API_VERSION, "kind": WIDGET.kind, "metadata": metadata, "spec": spec}
        return self._save({**before, **whole})

    def delete(self, name: str) -> dict[str, Any]:
        """Somebody asks for its deletion."""
        document = self.documents[name]
        return self._save(
            {**document, "metadata": {**document["metadata"], "deletionTimestamp": "2026-05-04T13:00:00Z"}}
        )

    async def get(self, kind: Kind, name: str) -> Mapping[str, Any]:
        del kind
        if name not in self.documents:
            raise Gone(name)
        return self.documents[name]

    async def patch_status(self, kind: Kind, body: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
        present = await self._present(kind, body)
        merged = {**present.get("status", {}), **patch}
        status = {name: value for name, value in merged.items() if value is not None}
        return self._written({**present, "status": status})

    async def set_finalizers(self, kind: Kind, body: Mapping[str, Any], finalizers: list[str]) -> dict[str, Any]:
        present = await self._present(kind, body)
        document = self._written({**present, "metadata": {**present["metadata"], "finalizers": finalizers}})
        if not finalizers and "deletionTimestamp" in document["metadata"]:
            del self.documents[document["metadata"]["name"]]
        return document

    async def _present(self, kind: Kind, body: Mapping[str, Any]) -> Mapping[str, Any]:
        present = await self.get(kind, body["metadata"]["name"])
        if present["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Stale
        return present

    def _written(self, document: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        return self._save(document)

    def _save(self, document: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        metadata = {**document["metadata"], "resourceVersion": str(self.version)}
        self.documents[metadata["name"]] = {**document, "metadata": metadata}
        return self.documents[metadata["name"]]
