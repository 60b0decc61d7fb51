"""docs/operations.md says nothing that isn't so: its commands are understood, its metrics and codes exist."""

import argparse
import re
import shlex
from pathlib import Path

import prometheus_client
import pytest

from mien_streams import backlogs, dlq_arguments, edge, relay

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text()
MODULES = (backlogs, edge, relay)


def test_its_metrics_exist() -> None:
    """Whoever copies the rules gets alerts that can fire."""
    named = set(re.findall(r"\bmien_(?!streams)[a-z_]+", PAGE))
    metrics = [each for module in MODULES for each in vars(module).values()]
    described = [
        metric
        for each in metrics
        if isinstance(each, prometheus_client.metrics.MetricWrapperBase)
        for metric in each.describe()
    ]
    assert named
    assert named <= {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in described}


@pytest.mark.parametrize("line", re.findall(r"^\$ python -m mien_streams (dlq .*)$", PAGE, re.MULTILINE))
def test_its_commands_are_understood(line: str) -> None:
    """As they stand on the page."""
    parser = argparse.ArgumentParser()
    dlq_arguments.register(parser.add_subparsers())
    assert parser.parse_args(shlex.split(line)).action in line


@pytest.mark.parametrize("code", re.findall(r"`([a-z]+_[a-z_]+)`", PAGE))
def test_its_codes_exist(code: str) -> None:
    """Each is written somewhere in the code, word for word."""
    if not code.startswith("mien_"):
        sources = [*ROOT.glob("core/**/*.py"), *ROOT.glob("streams/**/*.py")]
        assert any(f'"{code}"' in path.read_text() or f" {code} " in path.read_text() for path in sources), code
