"""A program of the control plane that ends while it starts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien_core.errors import Unavailable
from mien_local.cluster.parts import CLIENTS, Kubelets
from mien_local.cluster.pki import Pki
from mien_local.golang.program import GoProgram
from mien_local.home import Home
from mien_local.parts.part import Stage

# Ends at once as often as it is told to, and then answers as kwok does.
PROGRAM = """#!{python}
import http.server, pathlib, sys
starts = pathlib.Path({starts!r})
count = int(starts.read_text()) + 1 if starts.exists() else 1
starts.write_text(str(count))
if count <= {failures}:
    sys.exit("the store is too slow")
port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--node-port="))
pathlib.Path("healthz").touch()
http.server.test(http.server.SimpleHTTPRequestHandler, port=port, bind="127.0.0.1")
"""


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Kubelets]:
    """Kubelets played by the program above."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "go.mod").touch()
    (tmp_path / "go.sum").touch()
    program = GoProgram("kwok", "kwok", tmp_path, "kwok", "seconds")
    program.path.parent.mkdir(parents=True)
    text = PROGRAM.format(python=sys.executable, starts=str(tmp_path / "starts"), failures=request.param)
    program.path.write_text(text)
    program.path.chmod(0o755)
    home = Home(tmp_path / "home")
    home.prepare()
    pki = Pki(tmp_path / "pki", "10.96.0.1")
    pki.make(CLIENTS)
    part = Kubelets(Stage(home), pki, program)
    yield part
    part.stop()


@pytest.mark.parametrize("part", [0, 2], indirect=True)
def test_it_is_started_again(part: Kubelets) -> None:
    """A machine that stood still is no reason to give a whole cluster up."""
    part.start()
    assert part.is_alive()


@pytest.mark.parametrize("part", [3], indirect=True)
def test_it_is_given_up_after_the_third_time(part: Kubelets) -> None:
    """With its last words: what ends each time has another reason."""
    with pytest.raises(Unavailable, match="the store is too slow") as raised:
        part.start()
    assert raised.value.code == "part_failed"
    assert not part.is_alive()
