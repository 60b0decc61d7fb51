"""What a person sees of a platform."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from mien_local.screen import LogFollower, Progress
from mien_local.state import PartPhase, PartState


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=60, highlight=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def wait_for_text(console: Console, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in printed(console):
        assert time.monotonic() < deadline, f"{text!r} was not printed"
        time.sleep(0.01)


def test_a_ready_part_shows_its_time_and_its_address(console: Console) -> None:
    """One line: who, how long, where."""
    Progress(console)(PartState("kafka", "ready", "127.0.0.1:20123", 3.456))
    assert printed(console).split() == ["✔", "kafka", "3.5", "s", "127.0.0.1:20123"]


def test_what_takes_long_says_what_it_does(console: Console) -> None:
    """A build or a download is no silence."""
    Progress(console)(PartState("s3", "preparing", note="builds [the] S3 server"))
    assert "builds [the] S3 server" in printed(console)


@pytest.mark.parametrize("phase", ["failed", "given up"])
def test_a_failure_shows_all_of_its_reason(console: Console, phase: PartPhase) -> None:
    """However long the line and however odd its characters are."""
    note = "exit status 1. The end of [/logs/api.log]:\n  " + "x" * 100
    Progress(console)(PartState("api", phase, note=note))
    assert note in printed(console)
    assert "✘" in printed(console)


def test_steps_without_news_print_nothing(console: Console) -> None:
    """Ten parts have forty steps; a person wants ten lines."""
    phases: tuple[PartPhase, ...] = ("waiting", "preparing", "starting", "stopping", "stopped")
    for phase in phases:
        Progress(console)(PartState("api", phase))
    assert printed(console) == ""


def test_logs_are_followed_with_a_prefix_each(console: Console, tmp_path: Path) -> None:
    """New lines of all parts appear, whole, unchanged, and none twice; also those of a log that appears later."""
    api, ray = tmp_path / "api.log", tmp_path / "ray.log"
    api.write_text("old\n")
    with LogFollower(console, tmp_path):
        with api.open("a") as log:
            log.write("first [bold]line[/]\nhalf a")
        wait_for_text(console, "first")
        with api.open("a") as log:
            log.write(" line\n")
        ray.write_text("hello\n")
        wait_for_text(console, "hello")
        wait_for_text(console, "half a line")
    lines = printed(console).splitlines()
    assert sorted(lines) == ["api      │ first [bold]line[/]", "api      │ half a line", "ray      │ hello"]


def test_a_log_that_begins_anew_is_followed_from_its_beginning(console: Console, tmp_path: Path) -> None:
    """A part that was started again writes a new file under the old name."""
    log = tmp_path / "api.log"
    log.write_text("a long line of the run before\n")
    with LogFollower(console, tmp_path):
        log.replace(tmp_path / "api.previous.log")
        log.write_text("anew\n")
        wait_for_text(console, "anew")
    assert printed(console).splitlines() == ["api      │ anew"]


def test_the_ends_of_chosen_logs_can_be_shown(console: Console, tmp_path: Path) -> None:
    """As many lines as asked for, of the parts asked for."""
    (tmp_path / "api.log").write_text("1\n2\n3\n")
    (tmp_path / "ray.log").write_text("4\n")
    LogFollower(console, tmp_path, ("api",), lines=2)
    assert printed(console).splitlines() == ["api      │ 2", "api      │ 3"]
