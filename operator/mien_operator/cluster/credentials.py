"""Who the operator is to the API server, for its own calls as for kopf's watches."""

import logging

import kopf

from mien_core.errors import Unavailable

logger = logging.getLogger(__name__)


def read() -> kopf.ConnectionInfo:
    """Read the pod's service account, or outside of a cluster the current context of KUBECONFIG.

    A service account's token is renewed in its file, and an old one answered with 401; so this is called again then.

    Raises:
        Unavailable: cluster_credentials_missing.
    """
    settings = kopf.OperatorSettings()
    info = kopf.login_with_service_account(settings=settings, logger=logger)
    info = info or kopf.login_with_kubeconfig(settings=settings, logger=logger)
    if info is None:
        raise Unavailable(
            "cluster_credentials_missing",
            "There is neither a service account's token nor a kubeconfig; run in a pod, or set KUBECONFIG.",
        )
    return info
