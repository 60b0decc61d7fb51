"""Custom resources in the cluster: read, and written where the operator may, which is status and finalizers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from mien_core.errors import Conflict, Missing
from mien_operator.cluster.api import ClusterApi, Document
from mien_operator.crds.definition import API_VERSION, GROUP, VERSION, Kind
from mien_operator.interruptions import Gone, Stale

_PAGE: Final = 500
_WHOLE: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Resources:
    """The resources of one namespace."""

    def __init__(self, api: ClusterApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def served(self, kind: Kind) -> bool:
        """Tell whether the API server knows the kind.

        Raises:
            MienError: as ClusterApi.call says.
        """
        try:
            group = await self._api.get(f"/apis/{GROUP}/{VERSION}")
        except Missing:
            return False
        return any(entry["name"] == kind.plural for entry in group["resources"])

    async def get(self, kind: Kind, name: str) -> Document:
        """Read one.

        Raises:
            Gone: it is no more.
            MienError: as ClusterApi.call says.
        """
        try:
            return await self._api.get(self._path(kind, name))
        except Missing as error:
            raise Gone(error.detail) from error

    async def all(self, kind: Kind) -> AsyncIterator[Document]:
        """Read all, page by page.

        Raises:
            MienError: as ClusterApi.call says.
        """
        async for item in self._pages(kind, _WHOLE):
            # the API server leaves out of a list's items what it says of the list
            yield {"apiVersion": API_VERSION, "kind": kind.kind, **item}

    async def metadata(self, kind: Kind) -> AsyncIterator[Document]:
        """Read the metadata of all, page by page.

        Raises:
            MienError: as ClusterApi.call says.
        """
        async for item in self._pages(kind, _METADATA):
            yield item["metadata"]

    async def patch_status(self, kind: Kind, body: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
        """Change the status of the resource as it was read; give it as it is then.

        Raises:
            Stale: it was changed since.
            Gone: it is no more.
            MienError: as ClusterApi.call says.
        """
        return await self._patch(kind, body, "/status", {"status": patch})

    async def set_finalizers(self, kind: Kind, body: Mapping[str, Any], finalizers: Sequence[str]) -> Document:
        """Say who has to be done with the resource before it may go; give it as it is then.

        Raises:
            Stale: it was changed since.
            Gone: it is no more.
            MienError: as ClusterApi.call says.
        """
        return await self._patch(kind, body, "", {"metadata": {"finalizers": list(finalizers)}})

    async def _patch(self, kind: Kind, body: Mapping[str, Any], part: str, patch: Mapping[str, Any]) -> Document:
        read = body["metadata"]
        # another resource by the same name is none that was looked at
        seen = {"resourceVersion": read["resourceVersion"], "uid": read["uid"]}
        whole = {**patch, "metadata": {**patch.get("metadata", {}), **seen}}
        try:
            return await self._api.merge(self._path(kind, read["name"]) + part, whole)
        except Conflict as error:
            raise Stale(error.detail) from error
        except Missing as error:
            raise Gone(error.detail) from error

    async def _pages(self, kind: Kind, media_type: str) -> AsyncIterator[Document]:
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._api.call("GET", self._path(kind), accept=media_type, query=query)
            # of metadata that are none the API server says null
            for item in page["items"] or ():
                yield item
            go_on = page["metadata"].get("continue")
            if not go_on:
                return
            query["continue"] = go_on

    def _path(self, kind: Kind, name: str = "") -> str:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{quote(self._namespace, safe='')}/{kind.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path
