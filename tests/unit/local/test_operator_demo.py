"""The demonstration's shell, and its worse models."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from mien_core.errors import Unavailable
from mien_local.demo import astronaut
from mien_local.operator_demo.models import write_careless
from mien_local.operator_demo.shell import Shell
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import ModelFiles, installed_model_files
from mien_serving.face.topology import LEFT_EYE, RIGHT_EYE


def nothing() -> None:
    """All is well."""


def shell(tmp_path: Path, check: Callable[[], None] = nothing) -> tuple[Shell, io.StringIO]:
    shown = io.StringIO()
    return Shell(Console(file=shown, width=200), {"COLOUR": "green"}, tmp_path, check), shown


def test_a_command_is_shown_with_all_that_it_prints(tmp_path: Path) -> None:
    """What it prints is given, too; a pipe that breaks inside fails as a whole."""
    person, shown = shell(tmp_path)
    assert person.run("seq 1000 && echo $COLOUR [x]").splitlines()[-2:] == ["1000", "green [x]"]
    assert shown.getvalue().splitlines()[:2] == ["$ seq 1000 && echo $COLOUR [x]", "1"]
    assert shown.getvalue().splitlines()[-2:] == ["1000", "green [x]"]
    assert person.run("echo a secret", secret=True) == "a secret"
    assert "a secret\n" not in shown.getvalue().removesuffix("$ echo a secret\n")
    with pytest.raises(Unavailable, match="exit status 3"):
        person.run("(exit 3) | cat")
    assert person.run("exit 3", status=3) == ""


def test_watching_ends_with_what_is_waited_for(tmp_path: Path) -> None:
    """A line that is only older isn't shown; what goes on printing is ended, and what ends is begun again."""
    person, shown = shell(tmp_path)
    command = (
        "echo one $RANDOM; echo one $RANDOM; [ ! -e again ] || echo two 1; touch again; [ -e for-ever ] || sleep 1"
    )
    person.watch(command, lambda words: words[0] == "two", 60)
    lines = [line.split()[0] for line in shown.getvalue().splitlines()]
    assert lines == ["$", "one", "two"]


def test_who_has_seen_enough_ends_what_runs(tmp_path: Path) -> None:
    """What check raises comes out of whatever is waited for; the command has ended by then."""

    def check() -> None:
        if (tmp_path / "began").exists():
            raise Unavailable("cancelled", "The demonstration was stopped.")

    person, _ = shell(tmp_path, check)
    with pytest.raises(Unavailable, match="cancelled"):
        person.run("touch began; sleep 1000")


def test_careless_models_put_landmarks_somewhere_else(tmp_path: Path) -> None:
    """They find the face, and its points by far more than is harmless away from where they are."""
    photo = np.asarray(Image.open(io.BytesIO(astronaut())).resize((960, 540)))
    write_careless(tmp_path / "careless")

    def points(files: ModelFiles) -> NDArray[np.float64]:
        report = FaceEngine(files).analyse([photo])[0].outcome
        assert not isinstance(report, Exception)
        return np.array([(mark.x * 960, mark.y * 540) for mark in report.face.landmarks])

    true, careless = points(installed_model_files()), points(ModelFiles.from_directory(tmp_path / "careless"))
    between_eyes = np.linalg.norm(true[list(LEFT_EYE)].mean(0) - true[list(RIGHT_EYE)].mean(0))
    assert np.linalg.norm(careless - true, axis=1).mean() / between_eyes > 0.08
