"""The manifests that are made from the code: written by `python -m mien_operator crds`, and held to it by a test."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from mien_operator import rbac
from mien_operator.crds.definition import GROUP, Kind, definition

HOME: Final = Path(__file__).parent
# beside the package in a checkout, and nowhere else
CHART: Final = HOME.parents[1] / "charts" / "mien"
_HEADER: Final = "# Made by `python -m mien_operator crds`; change the code instead.\n"
_WIDTH: Final = 120


class _Dumper(yaml.SafeDumper):
    """Writes what is used twice twice: not everybody who reads manifests knows YAML's references."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def files(kinds: Sequence[Kind]) -> dict[Path, str]:
    """Give each file, from the package on, and what stands in it."""
    wanted = {Path("crds", f"{GROUP}_{kind.plural}.yaml"): _rendered([definition(kind)]) for kind in kinds}
    wanted[Path("rbac", "operator.yaml")] = _rendered([rbac.service_account(), rbac.role(kinds), rbac.binding()])
    return wanted


def write(kinds: Sequence[Kind], home: Path = HOME, chart: Path | None = None) -> list[Path]:
    """Write all files under home, remove those of kinds that are no more, and give what changed.

    Args:
        kinds: what is there.
        home: the package's folder.
        chart: the folder of a chart that brings the definitions, too.
    """
    wanted = {home / path: text for path, text in files(kinds).items()}
    gone = {*home.glob("crds/*.yaml"), *home.glob("rbac/*.yaml")}
    if chart is not None:
        wanted |= {chart / path: text for path, text in files(kinds).items() if path.parts[0] == "crds"}
        gone |= set(chart.glob("crds/*.yaml"))
    gone -= set(wanted)
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    for path in gone:
        path.unlink()
    return sorted([*changed, *gone])


def _rendered(manifests: Iterable[Mapping[str, Any]]) -> str:
    documents = (
        yaml.dump(dict(manifest), Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)
        for manifest in manifests
    )
    return _HEADER + "---\n".join(documents)
