"""Go programs are named by what they are made of, and built by a Go that is new enough."""

import hashlib
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mien_core.errors import Unavailable
from mien_local import programs
from mien_local.cluster.programs import API_SERVER, CLUSTER_PROGRAMS
from mien_local.golang import toolchain
from mien_local.golang.build import build
from mien_local.golang.program import GoProgram
from mien_local.home import Home
from mien_local.parts.part import Stage

# a Go that says which one it is, and builds nothing
GO = "#!/bin/sh\necho go{version}\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mien"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    home = Home(tmp_path / "home")
    home.prepare()
    return Stage(home)


@pytest.fixture
def program(tmp_path: Path) -> GoProgram:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.test/tiny\n\ngo 1.25.3\n")
    (module / "go.sum").write_text("")
    return GoProgram("tiny", "a tiny program", module, "example.test/tiny", "seconds")


def put_go(folder: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go").write_text(GO.format(version=version))
    (folder / "go").chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Go; its folder of programs is on the path."""
    path = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{path}:/bin")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))
    return path


def test_other_pins_flags_or_files_are_another_program(cache: Path, program: GoProgram) -> None:
    """Its folder in the cache is another one, so that nothing old is taken for new; the same ones are found again."""
    assert program.path.is_relative_to(cache)
    assert program.path == replace(program).path
    names = {program.path}
    names.add(replace(program, package="example.test/tiny/other").path)
    names.add(replace(program, files=("example.test/tiny/files",)).path)
    names.add(replace(program, linker_flags=lambda _: "-X main.version=2").path)
    (program.module / "go.sum").write_text("example.test/other v1.0.0 h1:x\n")
    names.add(program.path)
    assert len(names) == 5


@pytest.mark.parametrize(
    ("on_path", "beside_python", "expected"),
    [
        ("1.25.3", None, "bin"),
        ("1.26", None, "bin"),
        ("1.25.2", None, None),
        ("1.9", "1.27.1", "python"),
        (None, "1.26", "python"),
        (None, None, None),
    ],
)
def test_the_first_go_that_is_new_enough_is_taken(
    program: GoProgram, machine: Path, on_path: str | None, beside_python: str | None, expected: str | None
) -> None:
    """From the path, else beside this Python; an older one, or none, builds nothing."""
    if on_path:
        put_go(machine, on_path)
    if beside_python:
        put_go(machine.parent / "python" / "bin", beside_python)
    found = toolchain.find_go(program.module)
    folders = {"bin": machine, "python": machine.parent / "python" / "bin", None: None}
    assert (found.parent if found else None) == folders[expected]


def test_without_go_it_says_what_to_install(
    program: GoProgram, machine: Path, stage: Stage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the version that is needed; the installation asks the same question beforehand."""
    put_go(machine, "1.24")
    with pytest.raises(Unavailable, match=r"1\.25\.3.*make setup") as raised:
        build(program, stage, "tiny")
    assert raised.value.code == "go_missing"
    monkeypatch.setattr(programs, "PROGRAMS", (program,))
    assert not programs.all_can_be_had()
    program.path.parent.mkdir(parents=True)
    program.path.touch()
    assert programs.all_can_be_had()
    assert build(program, stage, "tiny") == program.path
    assert program.path.is_relative_to(cache)


def test_outside_of_a_checkout_there_is_no_control_plane(program: GoProgram, stage: Stage) -> None:
    """An installed wheel hasn't its pins, and says so; nothing else fails for that."""
    away = replace(program, module=program.module / "nowhere")
    with pytest.raises(Unavailable) as raised:
        build(away, stage, "tiny")
    assert raised.value.code == "checkout_missing"


def test_a_build_that_fails_shows_why_and_leaves_nothing(
    program: GoProgram, machine: Path, stage: Stage, cache: Path
) -> None:
    """The end of the compiler's own words; the cache holds no half of a program."""
    put_go(machine, "1.26")
    (machine / "go").write_text(
        '#!/bin/sh\nif [ "$1" = env ]; then echo go1.26; else echo the disk is full; exit 1; fi\n'
    )
    with pytest.raises(Unavailable, match="the disk is full"):
        build(program, stage, "tiny")
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_the_control_planes_programs_say_their_version() -> None:
    """Helm refuses a server without one, and charts ask for Kubernetes' minor version."""
    assert "-X k8s.io/component-base/version.gitVersion=v1." in API_SERVER.flags
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=" in API_SERVER.flags


def test_each_program_is_pinned_by_its_module() -> None:
    """Every package lies in a module that go.mod names, with its hash in go.sum."""
    for program in CLUSTER_PROGRAMS:
        go_mod = (program.module / "go.mod").read_text()
        tools = go_mod.partition("tool (")[2].partition(")")[0] or go_mod
        assert program.package in tools, program.name


def test_the_question_of_the_installation_needs_nothing_installed() -> None:
    """It is asked before anything is: with the standard library and the sources alone."""
    repository = Path(__file__).parents[3]
    command = ["-S", "-c", "import mien_local.programs as p; print(len(p.PROGRAMS))"]
    environment = {"PYTHONPATH": f"{repository}/local:{repository}/core"}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(programs.PROGRAMS)


# a Go that writes what it was told to and counts its builds; one that takes its time meets the others
COUNTING_GO = """#!/bin/sh
case "$1" in
env) echo go1.26 ;;
list) echo "go: downloading something" >&2; echo "{source}" ;;
build)
  echo built >>"{count}"
  sleep 0.3
  while [ "$1" != -o ]; do shift; done
  mkdir -p "$(dirname "$2")"
  echo "a program" >"$2" ;;
esac
"""


def test_a_program_is_built_once_with_its_checksum_and_its_files(
    program: GoProgram, machine: Path, stage: Stage, cache: Path, tmp_path: Path
) -> None:
    """Also when two want it at once. The files are copies that may be removed, which Go's own cache forbids.

    Whoever waits for it is told how long that took.
    """
    told: list[str] = []
    stage = replace(stage, note=lambda _part, line: told.append(line))
    source, count = tmp_path / "source", tmp_path / "count"
    source.mkdir()
    (source / "stage.yaml").write_text("kind: Stage\n")
    (source / "embed.go").write_text("package source\n")
    (source / "stage.yaml").chmod(0o444)
    put_go(machine, "1.26")
    (machine / "go").write_text(COUNTING_GO.format(source=source, count=count))
    program = replace(program, files=("example.test/tiny/source",))
    with ThreadPoolExecutor(2) as threads:
        paths = list(threads.map(lambda _: build(program, stage, "tiny"), range(2)))
    assert paths == [program.path] * 2
    assert count.read_text().split() == ["built"]
    assert [line for line in told if line.startswith("built a tiny program in ")] == told[-1:]
    assert program.checksum.read_text().strip() == hashlib.sha256(program.path.read_bytes()).hexdigest()
    (kept,) = program.files_of("example.test/tiny/source")
    assert kept.is_relative_to(cache)
    assert kept.read_text() == "kind: Stage\n"
    assert kept.stat().st_mode & stat.S_IWUSR
