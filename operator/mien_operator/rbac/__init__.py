"""What the operator may do in its namespace, and nothing else."""

from collections.abc import Iterable
from typing import Any, Final

from mien_operator.crds.definition import GROUP, Kind

NAME: Final = "mien-operator"
NAMESPACE: Final = "mien"


def role(kinds: Iterable[Kind], namespace: str = NAMESPACE) -> dict[str, Any]:
    """Give the Role.

    patch on a resource is for its finalizer alone, but Kubernetes knows no narrower verb; what is said of it goes to
    status. Nobody can be given leave to create only a Lease of one name, so that verb stands by itself.
    """
    plurals = [kind.plural for kind in kinds]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": NAME, "namespace": namespace},
        "rules": [
            {"apiGroups": [GROUP], "resources": plurals, "verbs": ["get", "list", "watch", "patch"]},
            {"apiGroups": [GROUP], "resources": [f"{plural}/status" for plural in plurals], "verbs": ["patch"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "resourceNames": [NAME],
                "verbs": ["get", "update"],
            },
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "get", "patch"]},
        ],
    }


def service_account(namespace: str = NAMESPACE) -> dict[str, Any]:
    """Give the account that the operator's pod runs as."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": namespace}}


def binding(namespace: str = NAMESPACE) -> dict[str, Any]:
    """Give the account its role."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
    }
