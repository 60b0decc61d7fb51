"""`mien cluster`: for a person, who stops it with Ctrl-C or doesn't get to."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from mien_local.cluster.control_plane import ControlPlane
from mien_local.home import Home
from mien_local.platform import end_orphans
from tests import waiting

PROGRAMS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}


@pytest.fixture
def home(tmp_path: Path, control_plane: ControlPlane) -> Iterator[Home]:
    """A person's folder, on a machine where the programs are built; nothing runs in it afterwards."""
    assert control_plane.is_alive()
    home = Home(tmp_path / "home")
    yield home
    end_orphans(Home(home.root / "cluster"))


def processes_of(home: Home) -> dict[int, str]:
    """Number and program of each that was started for this home."""
    found = {}
    for process in psutil.process_iter():
        try:
            if str(home.root) in " ".join(process.cmdline()):
                found[process.pid] = Path(process.cmdline()[0]).name
        except psutil.Error:
            continue
    return found


def start(home: Home, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "MIEN_HOME": str(home.root), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "mien_local", "cluster"]
    return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def until_up(process: subprocess.Popen[bytes], output: Path) -> str:
    """The path that it prints once it is up."""

    def is_up() -> bool:
        assert process.poll() is None, output.read_text()
        return "Ctrl-C" in output.read_text()

    waiting.until(is_up, "the cluster to be up")
    found = re.search(r"^export KUBECONFIG=(.+)$", output.read_text(), flags=re.MULTILINE)
    assert found is not None
    return found[1]


def test_a_person_has_one_until_ctrl_c(home: Home, tmp_path: Path) -> None:
    """What a killed one left running, the next one ends; what ends is started again; after Ctrl-C nothing is left."""
    output = tmp_path / "output"
    with output.open("wb") as file:
        killed = start(home, file)
        kubeconfig = until_up(killed, output)
        killed.kill()
        killed.wait()
    left = processes_of(home)
    assert set(left.values()) == PROGRAMS
    with output.open("wb") as file:
        process = start(home, file)
        assert until_up(process, output) == kubeconfig
        now = processes_of(home)
        assert set(now.values()) >= PROGRAMS
        assert not now.keys() & left.keys()
        another = start(home, subprocess.DEVNULL)
        assert another.wait(120) == 1, "one folder has one cluster"
        (number,) = (pid for pid, name in processes_of(home).items() if name == "kube-apiserver")
        psutil.Process(number).kill()
        waiting.until(lambda: "restarts: 1" in output.read_text(), "the API server to be back")
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert not processes_of(home)
    assert not (home.root / "cluster").exists()
