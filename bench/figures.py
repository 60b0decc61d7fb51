"""How a figure is taken and printed."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


def report(name: str, value: float, unit: str, limit: float, **details: Any) -> None:
    """Print one figure as a JSON line; ratio is value / limit, so that at most 1 is good."""
    line = {"bench": name, "value": round(value, 3), "unit": unit, "limit": limit, "ratio": round(value / limit, 3)}
    print(json.dumps({**line, **details}), flush=True)


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the value below which so many percent of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(work: Callable[[], object]) -> float:
    """Do the work once and give its wall time."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
