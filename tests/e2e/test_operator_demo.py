"""`mien operator-demo`: the operator at work, as a person sees it who types that."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import left_behind, mien

SECONDS = 540
pytestmark = [pytest.mark.timeout(SECONDS + 60), pytest.mark.usefixtures("operator_demo_programs")]

ENDS = (
    "step 4: pass after",
    "AnalysisPassed",
    "AnalysisFailed: ",
    "legalhold.mien.dev/case-7 condition met",
    "photos in s3: 3 of",
    "done: 3 listed, 2 deleted, 1 held, 0 skipped",
    "GENUINE  signed with the key",
    "NOT GENUINE  certificate_",
    "All acts held",
)


def test_the_operator_is_shown_at_work(tmp_path: Path) -> None:
    """Exit status 0 after each act came to its end, in its order; no process and no folder of it is left."""
    home = tmp_path / "home"
    shown = mien("operator-demo", home=home, timeout=SECONDS)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    rest = shown.stdout
    for end in ENDS:
        before, found, rest = rest.partition(end)
        assert found, f"{end!r} is not shown where it should be:\n{shown.stdout}"
        assert before
    assert left_behind(home) == []
    assert not list(home.glob("demo-*"))


def test_who_has_seen_enough_stops_it(tmp_path: Path) -> None:
    """Ctrl-C while it starts: all that was started ends, and its folder goes."""
    home, log = tmp_path / "home", tmp_path / "log"
    environment = {**os.environ, "MIEN_HOME": str(home)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "mien_local", "operator-demo"]
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        deadline = time.monotonic() + SECONDS
        while "✔ apiserver" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130, log.read_text()
    assert left_behind(home) == []
    assert not list(home.glob("demo-*"))
