"""What Helm makes of each scenario, rendered once a test run, and the schemas that it is checked against."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from mien_local.cache import cache_folder
from mien_local.cluster.programs import API_SERVER
from mien_local.golang.toolchain import find_go
from tests.chart.charts import SCENARIOS, Chart, Rendered, scenario
from tests.chart.schemas import write_schemas


@pytest.fixture(scope="session")
def chart(helm: Path) -> Chart:
    """The chart, and the Helm that renders it."""
    return Chart(helm)


@pytest.fixture(scope="session")
def rendered(chart: Chart) -> Mapping[str, Rendered]:
    """Every scenario, rendered."""
    return {name: chart.render(scenario(name)) for name in SCENARIOS}


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of JSON schemas: of the API that the pinned Kubernetes describes, and of the CRDs."""
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(json.loads(_swagger().read_text()), folder)
    return folder


def _swagger() -> Path:
    """Kubernetes' own description of its API, as it lies in the module that the API server is built from."""
    kept = cache_folder() / f"{API_SERVER.path.parent.name}.swagger.json"
    if not kept.exists():
        go = find_go(API_SERVER.module)
        if go is None:
            pytest.skip("Kubernetes' description of its API comes with its Go module, and there is no Go here")
        command: list[str | Path] = [go, "mod", "download", "-json", "k8s.io/kubernetes"]
        answer = subprocess.run(command, cwd=API_SERVER.module, capture_output=True, text=True, check=True)
        source = Path(json.loads(answer.stdout)["Dir"]) / "api" / "openapi-spec" / "swagger.json"
        # Go's cache is read-only, and its modes would make ours so
        shutil.copyfile(source, kept.with_suffix(".partial"))
        kept.with_suffix(".partial").replace(kept)
    return kept
