"""How a figure is printed."""

import json
import statistics
from collections.abc import Sequence
from typing import Any


def report(name: str, value: float, unit: str, limit: float, **details: Any) -> None:
    """Print one figure as a JSON line; ratio is value / limit, so that at most 1 is good."""
    line = {"bench": name, "value": round(value, 3), "unit": unit, "limit": limit, "ratio": round(value / limit, 3)}
    print(json.dumps({**line, **details}), flush=True)


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the value below which so many percent of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
