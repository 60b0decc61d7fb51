"""The programs of the control plane, and what charts are installed and checked with; infra/control-plane pins them."""

import re
from pathlib import Path
from typing import Final

from mien_local.golang.program import GoProgram

_MODULE: Final = Path(__file__).parents[3] / "infra" / "control-plane"

NODE_STAGES: Final = (
    "sigs.k8s.io/kwok/kustomize/stage/node/fast",
    "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat",
)
POD_STAGES: Final = ("sigs.k8s.io/kwok/kustomize/stage/pod/fast",)


def _stamped(go_mod: str) -> str:
    """Flags that say the versions: built without, the API server has none, and Helm thinks of Kubernetes 1.20."""
    kubernetes, helm = _version(go_mod, "k8s.io/kubernetes"), _version(go_mod, "helm.sh/helm/v3")
    major, minor, _ = kubernetes.removeprefix("v").split(".")
    variables = {
        "k8s.io/component-base/version.gitVersion": kubernetes,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "helm.sh/helm/v3/internal/version.version": helm,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": major,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": minor,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": major,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": minor,
    }
    return " ".join(("-s -w", *(f"-X {name}={value}" for name, value in variables.items())))


def _version(go_mod: str, module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v[\d.]+)", go_mod, flags=re.MULTILINE)
    if found is None:
        raise ValueError(f"infra/control-plane/go.mod pins no {module}")
    return found[1]


def _program(name: str, package: str, duration: str) -> GoProgram:
    return GoProgram(name, name, _MODULE, package, duration, _stamped)


API_SERVER: Final = _program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "three minutes")
CONTROLLER_MANAGER: Final = _program(
    "kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "a minute"
)
SCHEDULER: Final = _program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "half a minute")
ETCD: Final = _program("etcd", "go.etcd.io/etcd/server/v3", "half a minute")
KUBECTL: Final = _program("kubectl", "k8s.io/kubernetes/cmd/kubectl", "a minute")
HELM: Final = _program("helm", "helm.sh/helm/v3/cmd/helm", "a minute")
KUBECONFORM: Final = _program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "seconds")
# a module of its own: it is made for a newer Kubernetes than the one that it plays nodes for
KWOK: Final = GoProgram(
    "kwok",
    "kwok",
    _MODULE / "kwok",
    "sigs.k8s.io/kwok/cmd/kwok",
    "a minute",
    files=(*NODE_STAGES, *POD_STAGES),
)

CLUSTER_PROGRAMS: Final = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK, KUBECTL, HELM, KUBECONFORM)
