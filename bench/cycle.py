"""The cycle model on simulated users who skip logs: how far off, how often in its interval, how long a call takes.

`python -m bench.cycle` runs it alone; docs/cycle.md shows one run. A figure's `seeds` are its values for each seed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from bench.cycle_rivals import RIVALS
from bench.cycle_users import PROCESSES, Population, User, users
from bench.figures import percentile, report
from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS, LoggedPeriod
from mien_core.rules.cycle.prediction import LEVEL, predict

SEEDS: Final = (1, 2, 3, 4)
USERS: Final = 750
# Others than those whom the prior has in mind, with fewer users each.
OTHERS: Final[Mapping[str, Population]] = {
    "regular, few skips": Population(odd=0.02, dispersion=0.15, skip=(1.0, 20.0)),
    "irregular": Population(mean=32.0, deviation=4.0, dispersion=0.6),
    "poisson": Population(odd=0.0, dispersion=1.0, dispersion_log_deviation=0.0),
    "many skips": Population(skip=(2.0, 6.0)),
}
OTHER_USERS: Final = 400
# Days without a log since the last one; on later days there are fewer users left.
LATER: Final = ((20, 600), (36, 1800), (50, 2400))
# A log on a day that is as good as any.
START: Final = date(2020, 1, 1)
COLD_CALLS: Final = 5


@dataclass(frozen=True, slots=True)
class Scored:
    """One prediction and what came; days count from the last log.

    predicted is the date that a user is shown, mean the mean length of the next cycle, rivals are their means of that.
    milliseconds is the call's time on the clock, computed_milliseconds on processors.
    """

    process: str
    intervals: int
    truth: int
    predicted: int
    mean: float
    held: bool
    milliseconds: float
    computed_milliseconds: float
    rivals: Mapping[str, float]


def _scored(user: User, elapsed: int = 0) -> Scored | None:
    """None where there is nothing to say: the user has logged again, or not even one interval before."""
    truth = user.next_period(elapsed)
    intervals = [length for length in user.intervals if length <= LONGEST_INTERVAL_DAYS]
    if truth is None or not intervals:
        return None
    log = [LoggedPeriod(START + timedelta(days=day)) for day in user.logged]
    last = log[-1].date
    started, computed = time.perf_counter(), time.process_time()
    prediction = predict(log, last + timedelta(days=elapsed))
    ended, computed_until = time.perf_counter(), time.process_time()
    predicted = prediction.next_period
    if predicted is None:
        raise RuntimeError(f"nothing predicted for {user}")
    period = last + timedelta(days=truth)
    return Scored(
        process=user.process,
        intervals=len(intervals),
        truth=truth,
        predicted=(predicted.date - last).days,
        mean=prediction.cycle_length.mean,
        held=predicted.interval.start <= period <= predicted.interval.end,
        milliseconds=(ended - started) * 1000,
        computed_milliseconds=(computed_until - computed) * 1000,
        rivals={name: rival(intervals) for name, rival in RIVALS.items()} if elapsed == 0 else {},
    )


def _all_scored(drawn: Iterable[User], elapsed: int = 0) -> list[Scored]:
    return [one for one in (_scored(user, elapsed) for user in drawn) if one is not None]


def _rmse(scored: Sequence[Scored], rival: str | None = None) -> float:
    """Root of the mean square of the error in days, of the model or of a rival."""
    predicted = [one.predicted if rival is None else one.rivals[rival] for one in scored]
    return float(np.sqrt(np.mean((np.array(predicted) - [one.truth for one in scored]) ** 2)))


def _coverage(scored: Sequence[Scored]) -> float:
    """Per cent of the periods that came within their interval."""
    return 100 * float(np.mean([one.held for one in scored]))


def _summary(scored: Sequence[Scored]) -> dict[str, Any]:
    figures = {"users": len(scored), "coverage": round(_coverage(scored), 1), "rmse": round(_rmse(scored), 2)}
    return figures | {f"rmse_{name}": round(_rmse(scored, name), 2) for name in scored[0].rivals}


def _ratio(scored: Sequence[Scored], rival: str) -> float:
    """The error of the dates to the rival's."""
    return _rmse(scored) / _rmse(scored, rival)


def _ratio_of_means(scored: Sequence[Scored], rival: str) -> float:
    """The error of the mean lengths, which aren't rounded to days, to the rival's: like with like."""
    error = np.array([one.mean - one.truth for one in scored])
    return float(np.sqrt(np.mean(error**2))) / _rmse(scored, rival)


def _errors(by_seed: Sequence[Sequence[Scored]]) -> None:
    pooled = [one for scored in by_seed for one in scored]
    experienced = [one for one in pooled if one.intervals >= 3]  # noqa: PLR2004  # as the name of the figure says
    for name, rival, ratio, limit in (
        ("cycle_rmse_to_mean", "mean", _ratio, 0.6),
        ("cycle_rmse_to_poisson", "poisson", _ratio, 1.0),
        ("cycle_rmse_to_skip_aware_poisson", "skip_aware_poisson", _ratio_of_means, 1.0),
    ):
        report(
            name,
            ratio(pooled, rival),
            "days/days",
            limit,
            seeds=[round(ratio(scored, rival), 3) for scored in by_seed],
            from_3_intervals=round(ratio(experienced, rival), 3),
            of_dates=round(_ratio(pooled, rival), 3),
            of_means=round(_ratio_of_means(pooled, rival), 3),
        )


def _report_coverage(name: str, scored: Sequence[Scored], **details: Any) -> None:
    away = abs(_coverage(scored) - 100 * LEVEL)
    report(name, away, "percentage points from 80", 3.0, **_summary(scored), **details)


# Printed: the import's time on the clock, the first prediction's, and the processor time of that.
_COLD: Final = """
import time
from datetime import date, timedelta

started = time.perf_counter()
from mien_core.rules.cycle.log import LoggedPeriod
from mien_core.rules.cycle.prediction import predict

log = [LoggedPeriod(date(2020, 1, 1) + timedelta(days=29 * cycle + cycle % 4)) for cycle in range(20)]
imported, computed = time.perf_counter(), time.process_time()
predict(log, date(2021, 8, 1))
print(imported - started, time.perf_counter() - imported, time.process_time() - computed)
"""


def _cold_milliseconds() -> dict[str, float]:
    """The import and the first prediction in a new process, medians."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    printed = [
        subprocess.run([sys.executable, "-c", _COLD], capture_output=True, text=True, check=True, env=environment)
        for _ in range(COLD_CALLS)
    ]
    seconds = np.median([[float(number) for number in one.stdout.split()] for one in printed], axis=0)
    return dict(zip(("import_", "call", "computing"), (seconds * 1000).round(1).tolist(), strict=True))


def _times(milliseconds: Sequence[float]) -> dict[str, float]:
    figures = {f"p{percent}": percentile(milliseconds, percent) for percent in (50, 99)}
    return {name: round(value, 2) for name, value in {**figures, "longest": max(milliseconds)}.items()}


def run() -> None:
    """Print the figures."""
    by_seed = [_all_scored(users(seed, USERS, Population())) for seed in SEEDS]
    _errors(by_seed)
    pooled = [one for scored in by_seed for one in scored]
    _report_coverage(
        "cycle_coverage",
        pooled,
        seeds=[round(_coverage(scored), 1) for scored in by_seed],
        processes={name: _summary([one for one in pooled if one.process == name]) for name in PROCESSES},
    )
    for elapsed, number in LATER:
        _report_coverage(f"cycle_coverage_day_{elapsed}", _all_scored(users(5, number, Population()), elapsed))
    others = {name: _all_scored(users(6, OTHER_USERS, population)) for name, population in OTHERS.items()}
    worst = max(abs(_coverage(scored) - 100 * LEVEL) for scored in others.values())
    summaries = {name: _summary(scored) for name, scored in others.items()}
    report("cycle_coverage_worst_other", worst, "percentage points from 80", 10.0, populations=summaries)
    clock = _times([one.milliseconds for one in pooled])
    report("cycle_call_p99", clock["p99"], "ms", 50.0, **clock, calls=len(pooled))
    computed = _times([one.computed_milliseconds for one in pooled])
    report("cycle_call_computing_p99", computed["p99"], "ms", 50.0, **computed, calls=len(pooled))
    cold = _cold_milliseconds()
    report("cycle_first_call", cold["call"], "ms", 50.0, **cold, processes=COLD_CALLS)


if __name__ == "__main__":
    run()
