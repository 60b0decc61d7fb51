"""`python -m bench.phantom_report`: a real face and five phantoms as pages, the truth beside what was measured."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)
PHANTOMS = ("spots", "acne", "wrinkles", "dark-circles", "redness")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command wrote."""
    folder = tmp_path_factory.mktemp("phantoms") / "out"
    command = [sys.executable, "-m", "bench.phantom_report", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert str(folder / "index.html") in done.stdout
    return folder


def test_there_is_a_page_for_the_face_and_for_each_phantom(pages: Path) -> None:
    """Six pages and their list."""
    names = {"index", "real-face", *(f"phantom-{name}" for name in PHANTOMS)}
    assert {path.stem for path in pages.glob("*.html")} == names


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_truth_stands_beside_what_was_measured(pages: Path, name: str) -> None:
    """The engine says another value after painting than before, and the page says what was painted."""
    text = (pages / f"phantom-{name}.html").read_text()
    before, truth, after = re.findall(r"<figcaption>((?:Before|Painted|After)[^<]*)</figcaption>", text)
    values = [re.search(r"measures ([\d.]+)", one) for one in (before, after)]
    assert values[0] is not None
    assert values[1] is not None
    assert float(values[1][1]) > 2 * float(values[0][1])
    assert re.search(r"\d", truth)


def test_as_many_spots_are_outlined_as_were_painted(pages: Path) -> None:
    """Within two of the number that the page calls the truth."""
    text = (pages / "phantom-spots.html").read_text()
    painted, outlined = re.search(r"Painted: (\d+) brown", text), re.search(r"After[^<]*outlines (\d+)\.", text)
    assert painted is not None
    assert outlined is not None
    assert int(painted[1]) > 10
    assert abs(int(painted[1]) - int(outlined[1])) <= 2


def test_what_was_painted_is_pink_and_the_rest_is_grey(pages: Path) -> None:
    """Reddened cheeks are pink in the picture of the truth; the chin, where nothing was painted, has no colour."""
    with Image.open(pages / "phantom-redness" / "exhibit-1.jpg") as picture:
        shown = np.asarray(picture).astype(int)
    height, width = shown.shape[:2]
    nose = shown[height // 2, width // 2]
    assert min(nose[0], nose[2]) > nose[1] + 50
    assert np.ptp(shown[int(0.9 * height), width // 2]) < 12
