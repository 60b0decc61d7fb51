"""Kubeconfigs: files that say where an API server is and who asks. Written as JSON, which is YAML, too."""

import base64
import json
from pathlib import Path
from typing import Any

from mien_local.cluster.pki import Pair

_NAME = "mien"


def by_certificate(url: str, authority: Path, client: Pair) -> str:
    """For whoever shows a certificate; the files' contents are in it, so that it can be passed on alone."""
    user = {"client-certificate-data": _encoded(client.certificate), "client-key-data": _encoded(client.key)}
    return _config(url, authority, user, "default")


def by_token(url: str, authority: Path, token: str, namespace: str) -> str:
    """For whoever shows a token, with the namespace in which it asks unless it says another."""
    return _config(url, authority, {"token": token}, namespace)


def _config(url: str, authority: Path, user: dict[str, str], namespace: str) -> str:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": url, "certificate-authority-data": _encoded(authority)}}],
        "users": [{"name": _NAME, "user": user}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": namespace}}],
        "current-context": _NAME,
    }
    return json.dumps(config, indent=1) + "\n"


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
