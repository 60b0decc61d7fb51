"""The images: each holds one service's locked packages and the wheel, and runs as nobody in particular."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chart.charts import REPOSITORY, values

FOLDER = REPOSITORY / "infra" / "images"
IMAGES = sorted(path.name.removesuffix(".Dockerfile") for path in FOLDER.glob("*.Dockerfile"))

Instruction = tuple[str, str]


def _stages(name: str) -> list[list[Instruction]]:
    """The instructions of an image's stages: each a word in capitals and what it says."""
    text = (FOLDER / f"{name}.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: list[list[Instruction]] = []
    for word, _, rest in (line.partition(" ") for line in lines):
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest.strip()))
    return stages


def _said(stage: list[Instruction], word: str) -> list[str]:
    return [rest for each, rest in stage if each == word]


def test_there_is_one_for_each_image_of_the_chart() -> None:
    """What the chart runs can be built, and nothing else is."""
    assert set(IMAGES) == {name for name, image in values()["images"].items() if isinstance(image, dict)}


@pytest.mark.parametrize("name", IMAGES)
def test_it_installs_its_own_packages_by_hash_and_the_wheel(name: str) -> None:
    """The image holds the locked packages of one extra, each checked by its hash, and the wheel, and nothing more."""
    _, image = _stages(name)
    pip = "python -m pip install --no-cache-dir --no-deps"
    assert _said(image, "RUN") == [
        f"{pip} --require-hashes --requirement /opt/mien/{name}.txt",
        f"{pip} /opt/mien/wheel/*.whl",
    ]
    assert _said(image, "COPY") == [f"requirements/{name}.txt /opt/mien/", "--from=wheel /wheel /opt/mien/wheel"]
    assert not _said(image, "ADD")
    locked = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    assert len(re.findall(r"^\S+==", locked, re.MULTILINE)) > 10


@pytest.mark.parametrize("name", IMAGES)
def test_it_runs_as_nobody_in_particular(name: str) -> None:
    """The user is a number, so that Kubernetes knows that it isn't root, the same one as in the chart."""
    _, image = _stages(name)
    number = values()["pods"]["runAs"]
    assert image[-1][0] in {"USER", "CMD"}
    assert _said(image, "USER") == [f"{number}:{number}"]


@pytest.mark.parametrize("name", IMAGES)
def test_no_secret_is_built_in(name: str) -> None:
    """Neither an argument nor a variable of the image has anything to do with a credential."""
    for stage in _stages(name):
        for line in (*_said(stage, "ENV"), *_said(stage, "ARG"), *_said(stage, "RUN")):
            assert not re.search(r"TOKEN|SECRET|PASSWORD|KEY|INDEX_URL|--index", line, re.IGNORECASE), line


def test_all_build_the_same_wheel() -> None:
    """The stage that builds the wheel is the same in each, so that a builder makes it once."""
    assert len({str(_stages(name)[0]) for name in IMAGES}) == 1


def test_the_wheel_is_built_of_what_the_images_copy(tmp_path: Path) -> None:
    """What the stage copies is enough for the wheel, and .dockerignore lets all of it through."""
    let_through = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in _said(_stages("api")[0], "COPY"):
        *sources, target = line.split()
        for source in sources:
            assert source in let_through or any(Path(source).match(pattern) for pattern in let_through), source
            path = REPOSITORY / source
            if path.is_dir():
                shutil.copytree(path, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (tmp_path / target).mkdir(exist_ok=True)
                shutil.copy(path, tmp_path / target)
    (build,) = (line for line in _said(_stages("api")[0], "RUN") if "hatchling" in line)
    command = build.replace("python", sys.executable, 1).replace("/wheel", str(tmp_path / "wheel")).split()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").glob("mien-*.whl")
    assert wheel.stat().st_size > 100_000
