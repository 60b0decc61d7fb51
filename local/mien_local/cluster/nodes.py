"""The nodes of the cluster, on paper: two that compute, and one with GPUs; what a pod asks for is counted."""

import threading
import time
from typing import Any, Final

import httpx

from mien_core.errors import Unavailable

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.1


def _node(name: str, cpu: int, memory: str, gpus: int = 0) -> dict[str, Any]:
    room = {"cpu": str(cpu), "memory": memory, "ephemeral-storage": "500Gi", "pods": "200"}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    if gpus:
        room["nvidia.com/gpu"] = str(gpus)
        # as NVIDIA's device plugin and its feature discovery label them
        labels |= {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.count": str(gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": room, "allocatable": room},
    }


NODES: Final = (_node("cpu-1", 32, "128Gi"), _node("cpu-2", 32, "128Gi"), _node("gpu-1", 64, "512Gi", gpus=4))


def make(client: httpx.Client, cancelled: threading.Event) -> None:
    """Make those that don't exist, and return once pods may be scheduled on all.

    Raises:
        Unavailable: cancelled, part_failed when the API server refuses, part_not_ready when they don't get ready.
    """
    for node in NODES:
        answer = client.post("/api/v1/nodes", json=node)
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            raise Unavailable("part_failed", f"The API server made no node: {answer.text}")
    deadline = time.monotonic() + _READY_SECONDS
    names = {node["metadata"]["name"] for node in NODES}
    while missing := names - _schedulable(client):
        if cancelled.is_set():
            raise Unavailable("cancelled", "The nodes were given up: the cluster stops.")
        if time.monotonic() > deadline:
            raise Unavailable("part_not_ready", f"{', '.join(sorted(missing))}: not ready in {_READY_SECONDS:g} s.")
        time.sleep(_POLL_SECONDS)


def _schedulable(client: httpx.Client) -> set[str]:
    """Those that are ready, and whose taint of a node that isn't was taken away."""
    answer = client.get("/api/v1/nodes")
    items = answer.json()["items"] if answer.is_success else []
    return {
        node["metadata"]["name"]
        for node in items
        if not node["spec"].get("taints")
        and any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in node["status"].get("conditions", ())
        )
    }
