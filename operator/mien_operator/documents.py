"""What the API server sends of a resource, and what controllers are given of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from mien_core.errors import Rejected
from mien_operator.controller import Resource
from mien_operator.crds.definition import Kind

Document = Mapping[str, Any]


def resource_of(kind: Kind, document: Document) -> Resource[BaseModel]:
    """Give a resource as controllers see it.

    Raises:
        Rejected: invalid_spec, as when its definition in the cluster is not the operator's.
    """
    metadata = document["metadata"]
    try:
        spec = kind.spec.model_validate(document.get("spec") or {})
    except ValidationError as error:
        wrong = "; ".join(
            f"spec.{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}"
            for entry in error.errors(include_url=False, include_input=False)
        )
        detail = f"{wrong}. Mend the spec, or install the definitions that came with this operator."
        raise Rejected("invalid_spec", detail) from error
    return Resource(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        annotations=metadata.get("annotations") or {},
        spec=spec,
        status=document.get("status") or {},
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        deleting=is_deleting(document),
    )


def is_deleting(document: Document) -> bool:
    """Tell whether somebody asked for its deletion."""
    return "deletionTimestamp" in document["metadata"]


def without_history(document: Document) -> dict[str, Any]:
    """Give it without managedFields, which are longer than all else and of no use here."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata}


def is_newer(one: Document, other: Document) -> bool:
    """Tell whether one is a later state than the other.

    resourceVersions of one kind can be compared as numbers (KEP 5504); where they are none, or where the name has gone
    to another resource, what came last counts as newer.
    """
    mine, theirs = (document["metadata"] for document in (one, other))
    if mine["uid"] != theirs["uid"]:
        return True
    version, before = str(mine["resourceVersion"]), str(theirs["resourceVersion"])
    if version.isdigit() and before.isdigit():
        return int(version) > int(before)
    return version != before
