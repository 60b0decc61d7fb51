"""All rounds of all who take part, and what comes of them: a line for each, then a table."""

import statistics
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import percentile, report
from bench.peers.environment import peers_python
from bench.pipeline import servers
from bench.pipeline.rounds import Round, measured
from bench.pipeline.runners import PER_EVENT, Runner, everybody

ROUNDS = 3

TO_HANDLER_P50_LIMIT_MS = 10.0
TO_HANDLER_P99_LIMIT_MS = 40.0


@dataclass(frozen=True)
class Result:
    """What came of one's rounds: medians, percentiles over all rounds' jobs, and the median of the ratios to mien.

    The ratios are taken round by round, because the machine's other work changes from one to the next.
    """

    runner: Runner
    jobs_per_second: float
    to_mien: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    database_cpu_seconds: float
    megabytes: float

    @classmethod
    def of(cls, runner: Runner, rounds: Sequence[Round], mien: Sequence[Round]) -> "Result":
        """Sum up."""
        latencies = [latency for one in rounds for latency in one.latencies_ms]
        ratios = [one.jobs_per_second / its.jobs_per_second for one, its in zip(rounds, mien, strict=True)]
        return cls(
            runner,
            _median(rounds, lambda one: one.jobs_per_second),
            statistics.median(ratios),
            percentile(latencies, 50),
            percentile(latencies, 99),
            _median(rounds, lambda one: one.cpu_seconds),
            _median(rounds, lambda one: one.database_cpu_seconds),
            _median(rounds, lambda one: one.megabytes),
        )


def run(names: Collection[str] = ()) -> None:
    """Print the figures: of all, or of mien and those named."""
    python = peers_python("streams")
    with servers.running() as started:
        runners = everybody(with_redis=started.redis is not None)
        if names:
            runners = [runner for runner in runners if runner is runners[0] or runner.name in names]
        rounds: dict[str, list[Round]] = {runner.name: [] for runner in runners}
        for number in range(1, ROUNDS + 1):
            for runner in runners:
                one = measured(runner, started, python)
                rounds[runner.name].append(one)
                # standard output is for the figures alone
                print(f"{number}/{ROUNDS} {runner.name}: {one}", file=sys.stderr, flush=True)
    mien = rounds[runners[0].name]
    results = [Result.of(runner, rounds[runner.name], mien) for runner in runners]
    for result in results:
        _print_line(result, results[0])
    _print_fastest(results)
    _print_to_handler(rounds)
    _print_table(results)


def _print_line(result: Result, mien: Result) -> None:
    report(
        "pipeline_jobs_per_second",
        result.jobs_per_second,
        "jobs/s",
        round(mien.jobs_per_second, 3),
        limit_is=mien.runner.name,
        runner=result.runner.name,
        commits=result.runner.commits,
        ratio_by_rounds=round(result.to_mien, 3),
        latency_p50_ms=round(result.p50_ms, 1),
        latency_p99_ms=round(result.p99_ms, 1),
        cpu_seconds_per_1000=round(result.cpu_seconds, 3),
        database_cpu_seconds_per_1000=round(result.database_cpu_seconds, 3),
        peak_megabytes=round(result.megabytes),
    )


def _print_fastest(results: Sequence[Result]) -> None:
    """Compare mien with the fastest that commits each event by itself."""
    peers = [one for one in results if not one.runner.is_mien and one.runner.commits == PER_EVENT]
    if peers:
        fastest = max(peers, key=lambda one: one.to_mien)
        report("pipeline_fastest_peer_to_mien", fastest.to_mien, "", 1.0, runner=fastest.runner.name)


def _print_to_handler(rounds: Mapping[str, Sequence[Round]]) -> None:
    """Print mien's own figures, of the jobs that came by the outbox."""
    ways = [way for several in rounds.values() for one in several for way in one.to_handler_ms]
    if ways:
        report("outbox_to_handler_p50", percentile(ways, 50), "ms", TO_HANDLER_P50_LIMIT_MS, jobs=len(ways))
        report("outbox_to_handler_p99", percentile(ways, 99), "ms", TO_HANDLER_P99_LIMIT_MS, jobs=len(ways))


def _print_table(results: Sequence[Result]) -> None:
    print()
    print("| Runner | Commits | Jobs/s | to mien | p50 ms | p99 ms | CPU s/1,000 | Database CPU s/1,000 | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for one in sorted(results, key=lambda result: -result.to_mien):
        print(
            f"| {one.runner.name} | {one.runner.commits} | {one.jobs_per_second:.0f} | {one.to_mien:.2f} "
            f"| {one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.cpu_seconds:.2f} | {one.database_cpu_seconds:.2f} "
            f"| {one.megabytes:.0f} |"
        )


def _median(rounds: Sequence[Round], figure: Callable[[Round], float]) -> float:
    return statistics.median(figure(one) for one in rounds)
