"""Fault points: what they do when they are told to, and that they do nothing otherwise."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien_core import faults
from mien_core.errors import Unavailable
from mien_core.faults import Action, Fault, Point

REPOSITORY = Path(__file__).parents[3]

PROGRAM = """
import sys
from pathlib import Path
from mien_core.faults import Point, arm, reached
arm(Path(sys.argv[1]))
for number in range(1, 6):
    reached(Point.JOB_BEGUN)
    reached(Point.JOB_ENDED)
    print(number, flush=True)
"""


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Path]:
    """The file that arms this process's points."""
    file = tmp_path / "plan"
    faults.arm(file)
    yield file
    faults.arm(None)


def test_it_is_killed_the_third_time_that_it_comes_there(tmp_path: Path) -> None:
    """SIGKILL at the planned point and hit, a last word, and a plan that won't happen to the next process."""
    plan = tmp_path / "plan"
    plan.write_text(str(Fault(Point.JOB_ENDED, Action.KILL, 3)))
    command = [sys.executable, "-c", PROGRAM, str(plan)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == ["1", "2"]
    assert killed.stderr == "fault: job.ended:kill@3\n"
    assert (plan.exists(), plan.with_suffix(".fired").exists()) == (False, True)
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout.split() == list("12345")


def test_the_database_is_away_once(plan: Path) -> None:
    """The error is the one that a lost database gives, and comes once for each plan."""
    faults.reached(Point.COMMITTED)
    for _ in range(2):
        plan.write_text(str(Fault(Point.COMMITTED, Action.AWAY)))
        faults.reached(Point.COMMITTING)
        with pytest.raises(Unavailable, match="database_unavailable"):
            faults.reached(Point.COMMITTED)
        faults.reached(Point.COMMITTED)


def test_hits_count_from_the_plan_on(plan: Path) -> None:
    """Another plan begins to count anew."""
    plan.write_text(str(Fault(Point.BURIED, Action.AWAY, 2)))
    faults.reached(Point.BURIED)
    plan.write_text(str(Fault(Point.JOB_ENDED, Action.AWAY, 2)))
    faults.reached(Point.JOB_ENDED)
    with pytest.raises(Unavailable):
        faults.reached(Point.JOB_ENDED)


def test_a_plan_that_is_withdrawn_in_that_moment_does_nothing(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has read it before it was taken away goes on; no process ends that was told to by nobody any more."""
    plan.write_text(str(Fault(Point.BURIED, Action.AWAY)))
    replace = Path.replace

    def withdrawn(self: Path, target: Path) -> Path:
        plan.unlink()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", withdrawn)
    faults.reached(Point.BURIED)


def test_a_plan_is_known_before_its_point_is_reached(plan: Path) -> None:
    """Who does in one step what has points within takes two for a plan that concerns them, and for no other."""
    assert not faults.is_planned(Point.COMMITTING)
    plan.write_text(str(Fault(Point.COMMITTING, Action.AWAY)))
    assert faults.is_planned(Point.COMMITTED, Point.COMMITTING)
    assert not faults.is_planned(Point.COMMITTED)
    faults.arm(None)
    assert not faults.is_planned(Point.COMMITTING)


def test_nothing_happens_without_the_variable(tmp_path: Path) -> None:
    """A plan that nobody was told of is no plan."""
    (tmp_path / "plan").write_text(str(Fault(Point.JOB_ENDED, Action.KILL)))
    faults.arm(None)
    for point in Point:
        faults.reached(point)


@pytest.mark.parametrize("text", ["", "job.ended", "job.ended:shout", "nowhere:kill@1", "job.ended:kill@soon"])
def test_a_plan_that_nobody_understands_is_an_error(text: str) -> None:
    """Better no test than one whose fault never happens."""
    with pytest.raises(ValueError, match=r"not a valid|invalid literal"):
        Fault.parse(text)


@pytest.mark.parametrize("point", Point)
def test_every_point_says_what_has_happened_and_stands_in_the_code(point: Point) -> None:
    """A declared point that no code comes to could never fire."""
    assert point.what
    sources = [
        path.read_text()
        for room in ("core", "api", "streams", "operator")
        for path in (REPOSITORY / room).rglob("*.py")
    ]
    assert sum(source.count(f"reached(Point.{point.name})") for source in sources) == 1
