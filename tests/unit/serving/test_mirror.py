"""Mirrored requests: begun after the answer, few at once, counted whatever comes of them, and felt by nobody."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

from mien_core.errors import Conflict, Missing, Rejected, Unavailable
from mien_core.model.comparisons import Comparison, Flips, Latencies, Tally
from mien_core.model.serving import FaceRequest
from mien_serving import mirror as mirroring
from mien_serving.mirror import MOST_IN_FLIGHT, Mirror, NotThereError, Result
from mien_serving.routes import Shadow
from mien_serving.windows import MOST_WINDOWS, Windows

STABLE, CANDIDATE = "face@sha256:aaaaaaaaaaaa", "face@sha256:bbbbbbbbbbbb"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Revisions:
    """Answers with its own name, when it may."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[str, FaceRequest]] = []
        self.may = asyncio.Event()
        self.may.set()
        self._error = error

    async def ask(self, revision: str, request: FaceRequest) -> Result:
        self.asked.append((revision, request))
        await self.may.wait()
        if self._error is not None:
            raise self._error
        return revision.encode()


class Counting:
    """Remembers what it was told, unless it is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.pairs: list[tuple[Result, Result]] = []
        self.tally = Tally()
        self._away = away

    async def pair(self, comparison: Comparison, stable: Result, candidate: Result) -> None:
        assert comparison == Comparison("rollout", 3, STABLE, CANDIDATE)
        if self._away:
            raise Unavailable("revision_unavailable", "Away.")
        self.pairs.append((stable, candidate))

    async def add(self, comparison: Comparison, tally: Tally) -> None:
        assert comparison == Comparison("rollout", 3, STABLE, CANDIDATE)
        self.tally = self.tally.plus(tally)


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirroring, "_TELL_SECONDS", 0.0)


def mirror(revisions: Revisions, counting: Counting, percent: float = 100) -> Mirror:
    shadow = Shadow(rollout="rollout", step=3, stable=STABLE, candidate=CANDIDATE, percent=percent)
    return Mirror(shadow, revisions, counting)


def request(number: int = 0) -> FaceRequest:
    return FaceRequest(upload_id=f"u{number}", photo_key=f"uploads/u{number}/photo", subject="tenant/user")


async def test_the_other_revision_is_asked_the_same() -> None:
    """Whoever of the two answered, the other one gets the request, and both answers are compared as what they are."""
    revisions, counting = Revisions(), Counting()
    tested = mirror(revisions, counting)
    await tested.answered(request(1), STABLE, b"first", 0.1)
    await tested.answered(request(2), CANDIDATE, b"second", 0.1)
    await tested.settled()
    assert [revision for revision, _ in revisions.asked] == [CANDIDATE, STABLE]
    again = request(1).model_copy(update={"revision": CANDIDATE, "mirrored": True})
    assert revisions.asked[0][1] == again
    assert counting.pairs == [(b"first", CANDIDATE.encode()), (STABLE.encode(), b"second")]


async def test_nothing_is_waited_for() -> None:
    """While the candidate hangs, whoever was answered isn't held up, and what is too much is dropped and counted."""
    revisions, counting = Revisions(), Counting()
    revisions.may.clear()
    tested = mirror(revisions, counting)
    for number in range(MOST_IN_FLIGHT + 3):
        await tested.answered(request(number), STABLE, b"answer", 0.1)
    await asyncio.sleep(0)
    assert len(revisions.asked) == MOST_IN_FLIGHT
    revisions.may.set()
    await tested.settled()
    assert len(counting.pairs) == MOST_IN_FLIGHT
    assert counting.tally.dropped == 3
    await tested.answered(request(), STABLE, b"answer", 0.1)
    await tested.settled()
    assert len(counting.pairs) == MOST_IN_FLIGHT + 1


async def test_so_many_percent_are_mirrored() -> None:
    """The same uploads each time, about as many as asked for; all of them count as traffic."""
    revisions, counting = Revisions(), Counting()
    tested = mirror(revisions, counting, percent=30)
    for _ in range(2):
        for number in range(200):
            await tested.answered(request(number), STABLE, b"answer", 0.1)
            await tested.settled()
    uploads = [asked.upload_id for _, asked in revisions.asked]
    assert sorted(uploads[: len(uploads) // 2]) == sorted(uploads[len(uploads) // 2 :])
    assert 30 <= len(set(uploads)) <= 90
    assert counting.tally.traffic.stable.requests == 400
    assert counting.tally.dropped == 0


async def test_traffic_is_counted_by_revision() -> None:
    """Requests, failures and time of each; a refused photo is an answer, and other revisions are nobody's."""
    counting = Counting()
    tested = mirror(Revisions(), counting, percent=0)
    await tested.answered(request(), STABLE, b"answer", 0.1)
    await tested.answered(request(), STABLE, Rejected("no_face", "None."), 0.05)
    await tested.answered(request(), CANDIDATE, Unavailable("serving_full", "Full."), 0.01)
    await tested.answered(request(), CANDIDATE, RuntimeError("bug"), 0.01)
    await tested.answered(request(), "face@sha256:cccccccccccc", b"answer", 0.1)
    await tested.settled()
    stable, candidate = counting.tally.traffic.stable, counting.tally.traffic.candidate
    assert (stable.requests, stable.errors, stable.latencies.count) == (2, 0, 2)
    assert (candidate.requests, candidate.errors, candidate.latencies.count) == (2, 2, 0)
    assert stable.latencies == Latencies.of(100.0, math.log(100)).plus(Latencies.of(50.0, math.log(50)))
    assert counting.pairs == []


@pytest.mark.parametrize("error", [Missing("photo_not_found", "Gone."), Unavailable("serving_full", "Full.")])
async def test_what_says_nothing_isnt_mirrored(error: Exception) -> None:
    """A photo that is gone, or a revision that is full, would only add to the load."""
    revisions = Revisions()
    tested = mirror(revisions, Counting())
    await tested.answered(request(), STABLE, error, 0.1)
    await tested.settled()
    assert revisions.asked == []


@pytest.mark.parametrize("error", [Conflict("c", "d"), RuntimeError("bug"), ValueError("another")])
async def test_a_candidate_that_breaks_is_compared_as_broken(error: Exception) -> None:
    """Whatever the candidate raises is what it answered."""
    counting = Counting()
    tested = mirror(Revisions(error), counting)
    await tested.answered(request(), STABLE, b"answer", 0.1)
    await tested.settled()
    [(stable, candidate)] = counting.pairs
    assert stable == b"answer"
    assert isinstance(candidate, Conflict | Unavailable)
    assert counting.tally.dropped == 0


async def test_a_candidate_that_isnt_there_is_not_compared() -> None:
    """A revision that is still starting has answered nothing wrong."""
    counting = Counting()
    tested = mirror(Revisions(NotThereError()), counting)
    await tested.answered(request(), STABLE, b"answer", 0.1)
    await tested.settled()
    assert (counting.pairs, counting.tally.dropped) == ([], 1)


async def test_nobody_hears_of_lost_comparisons() -> None:
    """While what counts is away, comparisons are dropped, and told so once it is back."""
    counting = Counting(away=True)
    tested = mirror(Revisions(), counting)
    await tested.answered(request(), STABLE, b"answer", 0.1)
    await tested.settled()
    assert (counting.pairs, counting.tally.dropped) == ([], 1)


def test_windows_are_kept_apart_and_bounded() -> None:
    """Each comparison has its own window from its first sample on; beyond so many the most idle one goes."""
    moments = iter(NOW + timedelta(seconds=second) for second in range(1000))
    windows = Windows(lambda: next(moments))
    first, second = (Comparison("rollout", step, STABLE, CANDIDATE) for step in (0, 1))
    windows.add(first, Tally(asked=1))
    windows.add(second, Tally(asked=5, errors=Flips(5, 1)))
    windows.add(first, Tally(asked=2))
    assert [(one.comparison, one.tally.asked, one.began_at) for one in windows.all()] == [
        (second, 5, NOW + timedelta(seconds=1)),
        (first, 3, NOW),
    ]
    for number in range(MOST_WINDOWS - 1):
        windows.add(Comparison("another", number, STABLE, CANDIDATE), Tally(asked=1))
    assert len(windows.all()) == MOST_WINDOWS
    assert windows.all()[0].comparison == first
