"""The chart, rendered: what Helm makes of it, and how to find one's way in that."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "mien"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
# not the chart's own name, so that nothing works by being called so
RELEASE = "photos"
NAMESPACE = "looks"

Resource = dict[str, Any]


class RefusedError(Exception):
    """Helm would not; its message."""


def scenario(name: str) -> Path:
    """A file of values that is kept beside the chart."""
    return CHART / "ci" / f"{name}-values.yaml"


def values() -> dict[str, Any]:
    """The chart's own values."""
    return dict(yaml.safe_load((CHART / "values.yaml").read_text()))


@dataclass(frozen=True)
class Container:
    """A container of a rendered pod.

    Attributes:
        owner: kind and name of what makes the pod, as in Deployment/mien-api.
        pod: the pod's template.
        spec: the container.
    """

    owner: str
    pod: Resource
    spec: Resource

    @property
    def component(self) -> str:
        """api, streams, serving, operator, migrations or assets."""
        return str(self.pod["metadata"]["labels"]["app.kubernetes.io/component"])

    @property
    def role(self) -> str:
        """The role of streams; empty for others."""
        return str(self.pod["metadata"]["labels"].get("mien.dev/role", ""))


@dataclass(frozen=True)
class Rendered:
    """All that an installation makes."""

    resources: Sequence[Resource]

    def of_kind(self, kind: str) -> dict[str, Resource]:
        """The resources of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self.resources if each["kind"] == kind}

    def one(self, kind: str, name: str) -> Resource:
        """A resource, by the end of its name."""
        full_name = next(full for full in self.of_kind(kind) if full == name or full.endswith(f"-{name}"))
        return self.of_kind(kind)[full_name]

    def pods(self) -> Iterator[tuple[str, Resource]]:
        """Each pod's template, with its owner; those that KubeRay makes included."""
        for each in self.resources:
            owner = f"{each['kind']}/{each['metadata']['name']}"
            if each["kind"] == "RayCluster":
                yield f"{owner}/head", each["spec"]["headGroupSpec"]["template"]
                for group in each["spec"]["workerGroupSpecs"]:
                    yield f"{owner}/{group['groupName']}", group["template"]
            elif "template" in each.get("spec", {}):
                yield owner, each["spec"]["template"]

    def containers(self) -> Iterator[Container]:
        """Each container."""
        for owner, pod in self.pods():
            for spec in pod["spec"]["containers"]:
                yield Container(owner, pod, spec)

    def container(self, component: str, role: str = "") -> Container:
        """The first container of a component."""
        return next(each for each in self.containers() if (each.component, each.role) == (component, role))

    def environment(
        self, container: Container, secrets: Mapping[str, Mapping[str, str]], fields: Mapping[str, str]
    ) -> dict[str, str]:
        """What the container's process finds in its environment, as a kubelet puts it together.

        Args:
            container: of these resources.
            secrets: each Secret's name and what is in it.
            fields: the pod's own fields, as in {"metadata.name": "mien-api-0"}.
        """
        environment: dict[str, str] = {}
        for source in container.spec.get("envFrom", ()):
            environment.update(self.of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"])
        for variable in container.spec.get("env", ()):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                reference = source["secretKeyRef"]
                secret = secrets[reference["name"]]
                if reference["key"] in secret or not reference.get("optional"):
                    environment[variable["name"]] = secret[reference["key"]]
            elif "fieldRef" in source:
                environment[variable["name"]] = fields[source["fieldRef"]["fieldPath"]]
            else:
                environment[variable["name"]] = variable["value"]
        return environment


@dataclass(frozen=True)
class Chart:
    """Helm, and this chart.

    Attributes:
        helm: the program.
        options: that it is given each time, such as which cluster it speaks to; rendering needs none.
    """

    helm: Path
    options: Sequence[str] = ()

    def render(self, *files: Path, overrides: Mapping[str, Any] | None = None) -> Rendered:
        """Render the chart with files of values, and more values on top of them.

        Raises:
            RefusedError: the schema or a template refuses them.
        """
        output = self.run("template", RELEASE, CHART, "--namespace", NAMESPACE, *_options(files, overrides))
        return Rendered([each for each in yaml.load_all(output, yaml.CSafeLoader) if each])

    def lint(self, *files: Path) -> str:
        """What Helm's linter says.

        Raises:
            RefusedError: it finds something, be it only a warning.
        """
        return self.run("lint", "--strict", CHART, *_options(files, None))

    def run(self, *arguments: str | Path) -> str:
        """Run helm; give its output.

        Raises:
            RefusedError: it failed.
        """
        result = subprocess.run([self.helm, *arguments, *self.options], capture_output=True, text=True, check=False)
        if result.returncode:
            raise RefusedError(result.stderr + result.stdout)
        return result.stdout


def _options(files: Sequence[Path], overrides: Mapping[str, Any] | None) -> list[str]:
    words = [word for file in files for word in ("--values", str(file))]
    for name, value in (overrides or {}).items():
        words += ["--set-json", f"{name}={json.dumps(value)}"]
    return words
