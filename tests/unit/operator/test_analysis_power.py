"""The analysis over whole simulated rollouts: what is wrong is caught in time, and what is as good is not aborted.

10,000 rollouts take minutes, so that every run takes a share of them and `--long` takes all.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from mien_operator.rollouts.judgement import Outcome
from tests.simulated_rollouts import EQUALS, REGRESSIONS, SAMPLES, WEIGHTS, Kind, looks

ROLLOUTS, FEW = 10_000, 600


@dataclass(frozen=True)
class Ends:
    """How the rollouts of one kind ended: by step in which they were aborted, None if they weren't."""

    counts: Mapping[int | None, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def caught(self) -> int:
        return self.total - self.counts.get(None, 0)

    def line(self, name: str) -> str:
        steps = "".join(f"{self.counts.get(step, 0) / self.total:9.1%}" for step in range(len(WEIGHTS)))
        return f"{name:52}{self.total:9,}{self.caught / self.total:9.1%}{steps}"


def ends(kind: Kind, rollouts: int, seed: int) -> Ends:
    counts: Counter[int | None] = Counter()
    for number in range(rollouts):
        *_, last = looks(kind, np.random.default_rng([seed, number]))
        if last.judgement.outcome is not Outcome.FAIL:
            assert last.judgement.outcome is Outcome.PASS, last.judgement
        counts[last.step if last.judgement.outcome is Outcome.FAIL else None] += 1
    return Ends(counts)


@pytest.mark.timeout(1800)
def test_regressions_are_caught_and_equals_are_not_aborted(request: pytest.FixtureRequest) -> None:
    """Of each kind of regression 95 % are aborted before the candidate gets all requests, of equals at most 5 %."""
    rollouts = ROLLOUTS if request.config.getoption("--long") else FEW
    table = request.config.get_terminal_writer()
    header = "".join(f"{f'at {weight:.0%}':>9}" for weight in WEIGHTS)
    table.line(f"\n{f'Up to {SAMPLES:,} samples a step':52}{'rollouts':>9}{'aborted':>9}{header}")
    regressions = {}
    for seed, (name, kind) in enumerate(REGRESSIONS.items()):
        regressions[name] = ends(kind, rollouts // 2 // len(REGRESSIONS), seed)
        table.line(regressions[name].line(name))
    equals = {}
    for seed, (name, kind) in enumerate(EQUALS.items()):
        equals[name] = ends(kind, rollouts // 2 // len(EQUALS), 1000 + seed)
        table.line(equals[name].line(name))
    assert len(REGRESSIONS) >= 20
    # one of a few may go the other way, whatever the share that does
    assert {name for name, one in regressions.items() if one.total - one.caught > max(1, 0.05 * one.total)} == set()
    assert {name for name, one in equals.items() if one.caught > 0.05 * one.total} == set()
