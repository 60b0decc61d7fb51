"""The doctor's looks at files, ports and clocks: each thing is broken for real in a folder of the test's own."""

import hashlib
import json
import os
import shutil
import socket
from importlib import metadata
from pathlib import Path

import pytest

from mien_local.cached import kafka_folder_name
from mien_local.doctor import health, installation, machine, remains
from mien_local.doctor.finding import Finding, look, ok
from mien_local.golang.program import GoProgram
from mien_local.home import Home
from mien_local.ports import HOST, unused_port
from mien_local.processes import Identity
from mien_local.programs import PROGRAMS
from mien_local.state import PlatformState


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mien"


def only(findings: object) -> Finding:
    assert hasattr(findings, "__iter__")
    (finding,) = findings
    assert isinstance(finding, Finding)
    assert bool(finding.mend) == (finding.level != "ok"), "whoever finds something says how to mend it"
    return finding


def test_a_program_that_is_not_there_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git and make on the path, both are named."""
    assert {finding.level for finding in machine.tools()} == {"ok"}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [(finding.name, finding.level) for finding in machine.tools()] == [("git", "broken"), ("make", "broken")]


@pytest.mark.parametrize(("version", "level"), [((3, 10), "broken"), ((3, 12), "ok"), ((3, 13), "broken")])
def test_another_python_is_broken(version: tuple[int, int], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project runs on 3.11 and 3.12."""
    monkeypatch.setattr("sys.version_info", (*version, 0))
    assert only(machine.python()).level == level


@pytest.mark.parametrize(("free", "level"), [(0.5, "broken"), (3.0, "warning"), (50.0, "ok")])
def test_room_is_judged_where_the_data_will_lie(
    home: Home, free: float, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a folder that doesn't exist yet: on the disk of its nearest parent."""
    asked: list[Path] = []

    def usage(path: Path) -> object:
        asked.append(path)
        return shutil._ntuple_diskusage(0, 0, int(free * 1024**3))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert only(machine.disk(home.root / "not" / "yet")).level == level
    assert asked == [home.root]


def test_a_gpu_that_is_not_seen_is_a_warning_and_none_at_all_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what nvidia-smi says; without it the processor does the work."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "nvidia-smi"
    for script, level in (("echo H100", "ok"), ("exit 9", "warning")):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert only(machine.gpu()).level == level
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "none seen" in only(machine.gpu()).text


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    """A wrong version and a missing package are named; what is for another system doesn't count."""
    locked = tmp_path / "workstation.txt"
    right = f"rich=={metadata.version('rich')} \\\n    --hash=sha256:00\n"
    locked.write_text(right + "colorama==99 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\n")
    found = only(installation.packages(locked))
    assert (found.level, found.text.split()[0]) == ("ok", "1")
    locked.write_text(right + "psutil==0.0.1 \\\nno-such-package==1.0 ; python_version > '3' \\\n")
    found = only(installation.packages(locked))
    assert found.level == "broken"
    assert "psutil is" in found.text
    assert "no-such-package is missing" in found.text
    assert "rich" not in found.text


def test_a_changed_or_missing_archive_of_kafka_is_broken(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checksums are those of the lock; a cache that is empty yet is fine, and stays so: nothing is made."""
    lock = cache.parent / "jgo.lock.toml"
    lock.parent.mkdir()
    content = b"an archive"
    lock.write_text(
        "[[dependencies]]\nartifactId = 'a'\nversion = '1'\npackaging = 'jar'\n"
        f"sha256 = '{hashlib.sha256(content).hexdigest()}'\n"
    )
    monkeypatch.setattr(installation, "KAFKA_LOCK", lock)
    assert only(installation.kafka()).level == "ok"
    assert not cache.exists()
    folder = cache / kafka_folder_name()
    folder.mkdir(parents=True)
    assert "a-1.jar is missing" in only(installation.kafka()).text
    (folder / "a-1.jar").write_bytes(content)
    assert only(installation.kafka()).level == "ok"
    (folder / "a-1.jar").write_bytes(content[:-1])
    found = only(installation.kafka())
    assert (found.level, "another checksum" in found.text) == ("broken", True)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_changed_program_is_broken(cache: Path, program: GoProgram) -> None:
    """By the checksum that was kept when it was built; one without is a warning, one that isn't built yet is named."""

    def found() -> Finding:
        return next(each for each in installation.programs() if each.name == f"{program.name}'s program")

    assert program.name in only(installation.programs()).text
    assert program.path.is_relative_to(cache)
    program.path.parent.mkdir(parents=True)
    assert found().level == "broken"
    program.path.write_bytes(b"built")
    assert found().level == "warning"
    program.checksum.write_text("33bd0c3cdfd8fd1d3a0d2f1d5c9d2a0f\n")
    assert found().level == "broken"
    program.checksum.write_text(hashlib.sha256(b"built").hexdigest() + "\n")
    assert found().level == "ok"


def test_a_port_that_somebody_took_is_told(home: Home) -> None:
    """With who took it; the next start would choose another, so it is a warning."""
    port = home.port("kafka", unused_port())
    assert only(remains.ports(home)).level == "ok"
    with socket.socket() as stranger:
        stranger.bind((HOST, port))
        stranger.listen()
        found = only(remains.ports(home))
    assert found.level == "warning"
    assert str(port) in found.text
    assert found.name == "port kafka"


def test_ports_that_nobody_can_read_are_broken(home: Home) -> None:
    """Half a file, or another thing than ports."""
    for content in ("{", "[]", '{"api": "x"}'):
        (home.data / "ports.json").write_text(content)
        assert only(remains.ports(home)).level == "broken"


def test_a_killed_and_a_failed_platform_are_told(home: Home) -> None:
    """Its state says that it runs, and its process doesn't; or why it failed."""
    assert only(remains.state(home)).level == "ok"
    nobody = Identity("mien", os.getpid(), created=1.0)
    PlatformState("ready", nobody).write(home)
    assert "killed" in only(remains.state(home)).text
    PlatformState("failed", nobody, error="part_failed: the disk is full").write(home)
    assert "the disk is full" in only(remains.state(home)).text
    home.state_file.write_text("{")
    assert only(remains.state(home)).level == "warning"
    PlatformState("ready", Identity.of("mien", os.getpid())).write(home)
    assert only(remains.state(home)).level == "ok"


def test_secrets_that_others_can_read_or_that_are_empty_are_told(home: Home) -> None:
    """As files with wrong rights, or as what a full disk left."""
    home.secret("s3")
    assert only(remains.secrets(home)).level == "ok"
    (home.data / "secrets" / "s3").chmod(0o644)
    assert only(remains.secrets(home)).level == "warning"
    (home.data / "secrets" / "s3").chmod(0o600)
    (home.data / "secrets" / "s3").write_text("")
    assert only(remains.secrets(home)).level == "broken"


@pytest.mark.parametrize(
    ("theirs", "level"), [(99.5, "ok"), (100.5, "ok"), (102.0, "ok"), (103.0, "warning"), (97.0, "warning")]
)
def test_clocks_that_are_apart_are_a_warning(theirs: float, level: str) -> None:
    """More than a second, the time that asking took not counted: asked from 100 to 101."""
    assert only(health.clock(theirs, 100.0, 101.0)).level == level


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgresql://me:secret@db/mien", [("db", 5432)]),
        ("https://elsewhere", [("elsewhere", 443)]),
        ("http://127.0.0.1:9", [("127.0.0.1", 9)]),
        ("one:9092, two:9093", [("one", 9092), ("two", 9093)]),
    ],
)
def test_addresses_are_read_without_credentials(value: str, expected: list[tuple[str, int]]) -> None:
    """Host and port of each kind of setting, with its usual port where none stands."""
    assert health.addresses(value) == expected


def test_an_external_part_that_does_not_answer_is_broken() -> None:
    """Somebody listens, or nobody does."""
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        provided = {"kafka": {"MIEN_KAFKA__BROKERS": f"{HOST}:{port}"}}
        assert only(health.external(provided)).level == "ok"
    found = only(health.external(provided))
    assert found.level == "broken"
    assert "MIEN_KAFKA__BROKERS" in found.mend


def test_a_check_that_fails_is_a_finding_itself() -> None:
    """A bug or a missing package in one check keeps no other from looking."""

    def buggy() -> list[Finding]:
        raise ZeroDivisionError("oops")

    def bare() -> list[Finding]:
        raise ModuleNotFoundError("No module named 'psutil'")

    assert only(look("x", buggy)).level == "broken"
    assert "make setup" in only(look("x", bare)).mend
    assert only(look("x", lambda: [ok("x", "fine")])).level == "ok"


def test_what_json_shows_is_what_a_finding_has() -> None:
    """Four fields, which scripts may rely on."""
    assert set(json.loads(json.dumps(vars(ok("x", "fine"))))) == {"name", "level", "text", "mend"}
