"""Simulated users who log their periods and skip some: two thirds as the model assumes, a third not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Lengths = NDArray[np.float64]
# A user is looked at after one to that many cycles.
MOST_CYCLES: Final = 25
# Cycles that go on afterwards, so that there is a next period whatever the day.
TO_COME: Final = 30
SHORTEST_DAYS: Final = 9


@dataclass(frozen=True, slots=True)
class Population:
    """Whom users are drawn from; means and deviations are days, odd users have any mean around 35.

    A user's mean is normally distributed, their variance over their mean log-normally, their skip probability as Beta.
    """

    mean: float = 29.3
    deviation: float = 3.0
    odd: float = 0.1
    dispersion: float = 0.3
    dispersion_log_deviation: float = 0.8
    skip: tuple[float, float] = (1.0, 6.0)


@dataclass(frozen=True, slots=True)
class Person:
    """How one user's cycles are: mean length, variance over mean, probability that a period isn't logged."""

    mean: float
    dispersion: float
    skip: float


@dataclass(frozen=True, slots=True)
class User:
    """A user on the day of a log.

    logged: the days of the logs, the first is 0. to_come: days after the last log on which periods truly begin.
    to_be_logged: which of them the user will log.
    """

    process: str
    logged: tuple[int, ...]
    to_come: tuple[int, ...]
    to_be_logged: tuple[bool, ...]

    @property
    def intervals(self) -> tuple[int, ...]:
        """Days from one log to the next."""
        return tuple(np.diff(self.logged).tolist())

    def next_period(self, elapsed: int) -> int | None:
        """When the next period truly begins; None if the user logs one within the elapsed days."""
        for day, logged in zip(self.to_come, self.to_be_logged, strict=True):
            if day > elapsed:
                return day
            if logged:
                return None
        return None


def assumed(person: Person, source: Generator, cycles: int) -> Lengths:
    """Independent gamma distributed lengths."""
    return source.gamma(person.mean / person.dispersion, person.dispersion, cycles)


def autoregressive(person: Person, source: Generator, cycles: int) -> Lengths:
    """A long cycle follows a long one: correlation 0.3 to 0.7, normal."""
    correlation = source.uniform(0.3, 0.7)
    luck = source.standard_normal(cycles)
    away = np.empty(cycles)
    away[0] = luck[0]
    for cycle in range(1, cycles):
        away[cycle] = correlation * away[cycle - 1] + (1 - correlation**2) ** 0.5 * luck[cycle]
    lengths: Lengths = person.mean + (person.mean * person.dispersion) ** 0.5 * away
    return lengths


def drifting(person: Person, source: Generator, cycles: int) -> Lengths:
    """The mean grows or shrinks by up to 0.2 days a cycle: some five days in two years."""
    mean = np.maximum(person.mean + source.uniform(-0.2, 0.2) * np.arange(cycles), 15.0)
    lengths: Lengths = source.gamma(mean / person.dispersion, person.dispersion)
    return lengths


def log_normal_with_late_ones(person: Person, source: Generator, cycles: int) -> Lengths:
    """Every twentieth cycle is late besides, by 15 days on average (a long right tail: Harlow and Zeger 1991)."""
    lengths: Lengths = person.mean * np.exp((person.dispersion / person.mean) ** 0.5 * source.standard_normal(cycles))
    lengths += np.where(source.random(cycles) < 1 / 20, source.exponential(15.0, cycles), 0.0)
    return lengths


def independent_skips(person: Person, source: Generator, cycles: int) -> NDArray[np.bool_]:
    """Each period is skipped by itself."""
    return source.random(cycles) < person.skip


def clustered_skips(person: Person, source: Generator, cycles: int) -> NDArray[np.bool_]:
    """After a skip the next one is skipped with probability 0.6; as many in all."""
    goes_on = 0.6
    begins = min(person.skip * (1 - goes_on) / (1 - person.skip), 1.0)
    skips = np.zeros(cycles, dtype=bool)
    luck = source.random(cycles)
    for cycle in range(1, cycles):
        skips[cycle] = luck[cycle] < (goes_on if skips[cycle - 1] else begins)
    return skips


@dataclass(frozen=True, slots=True)
class Process:
    """How lengths and skips come about."""

    lengths: Callable[[Person, Generator, int], Lengths] = assumed
    skips: Callable[[Person, Generator, int], NDArray[np.bool_]] = independent_skips


PROCESSES: Final[Mapping[str, Process]] = {
    "assumed": Process(),
    "autoregressive": Process(lengths=autoregressive),
    "drifting": Process(lengths=drifting),
    "late": Process(lengths=log_normal_with_late_ones),
    "clustered": Process(skips=clustered_skips),
}
# In turns: two thirds assumed.
_TURNS: Final = (*("assumed",) * 8, "autoregressive", "drifting", "late", "clustered")


def users(seed: int, number: int, population: Population) -> Iterator[User]:
    """Draw users; the same for the same seed."""
    source = np.random.default_rng(seed)
    for index in range(number):
        name = _TURNS[index % len(_TURNS)]
        yield _user(name, _person(population, source), source)


def _person(population: Population, source: Generator) -> Person:
    mean = source.normal(population.mean, population.deviation)
    if source.random() < population.odd:
        # standard deviation 15
        mean = source.gamma(5.4, 6.5)
    return Person(
        mean=min(max(mean, 15.0), 120.0),
        dispersion=population.dispersion * np.exp(population.dispersion_log_deviation * source.standard_normal()),
        skip=source.beta(*population.skip),
    )


def _user(name: str, person: Person, source: Generator) -> User:
    past = int(source.integers(2, MOST_CYCLES + 1))
    process = PROCESSES[name]
    lengths = np.maximum(np.rint(process.lengths(person, source, past + TO_COME)), SHORTEST_DAYS).astype(int)
    # whether the period at the end of a cycle is logged
    logged = ~process.skips(person, source, past + TO_COME)
    # we look at a day of a log
    logged[past - 1] = True
    ends = np.cumsum(lengths)
    return User(
        process=name,
        logged=(0, *ends[:past][logged[:past]].tolist()),
        to_come=tuple((ends[past:] - ends[past - 1]).tolist()),
        to_be_logged=tuple(logged[past:].tolist()),
    )
