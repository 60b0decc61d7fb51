"""`mien analyse` as a person runs it: no platform, several photos, some of them bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import faces

pytestmark = pytest.mark.timeout(600)


def analyse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mien_local", "analyse", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a face, a cup of coffee and a text."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "me.jpg").write_bytes(faces.jpeg_bytes(faces.astronaut_1080p()))
    (folder / "coffee [1].jpg").write_bytes(faces.jpeg_bytes(faces.no_face()))
    (folder / "text.jpg").write_text("no photo")
    return folder


def test_one_bad_photo_does_not_stop_the_others(photos: Path) -> None:
    """JSON lines in the photos' order and nothing else on standard output, the codes beside it, exit status 1."""
    answer = analyse(photos, "coffee [1].jpg", "text.jpg", "away.jpg", "me.jpg", "--json", "--html", "out")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [line["photo"] for line in lines] == ["coffee [1].jpg", "text.jpg", "away.jpg", "me.jpg"]
    codes = [line.get("error", {}).get("code") for line in lines]
    assert codes == ["no_face", "not_an_image", "photo_unreadable", None]
    assert lines[3]["skin"]["skinScore"] > 0
    for said in (
        "coffee [1].jpg: no_face: ",
        "away.jpg: photo_unreadable: ",
        "(4 of 4)",
        "report page: out/index.html",
    ):
        assert said in answer.stderr
    assert answer.returncode == 1
    assert (photos / "out" / "me.html").is_file()
    assert "not_an_image" in (photos / "out" / "index.html").read_text()


def test_a_good_photo_gives_a_report_and_its_page(photos: Path) -> None:
    """Exit status 0; type, score, chapter, conditions and what wasn't judged can be read; the page is index.html."""
    answer = analyse(photos, "me.jpg", "--html", "alone")
    assert answer.returncode == 0, answer.stderr
    for expected in ("me.jpg", "of 100", "chapter", "wrinkles", "not judged", "To see more", "report page: alone/"):
        assert expected in answer.stdout
    assert "me.jpg" in (photos / "alone" / "index.html").read_text()
    assert not (photos / ".mien").exists()


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(photos: Path) -> None:
    """Linux lets names be any bytes; the page and the report replace what can't be read."""
    odd = os.fsencode(photos) + b"/m\xff.jpg"
    Path(os.fsdecode(odd)).write_bytes((photos / "me.jpg").read_bytes())
    answer = analyse(photos, os.fsdecode(b"m\xff.jpg"), "--html", "odd", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["photo"] == "m\N{REPLACEMENT CHARACTER}.jpg"
    assert "m\N{REPLACEMENT CHARACTER}.jpg" in (photos / "odd" / "index.html").read_text()


def test_a_folder_that_cannot_be_written_ends_it(photos: Path) -> None:
    """The code says so; no report is printed that would have no page."""
    answer = analyse(photos, "me.jpg", "--html", "me.jpg")
    assert answer.returncode == 1
    assert "folder_not_writable" in answer.stderr
    assert "of 100" not in answer.stdout


def test_the_command_starts_without_the_libraries() -> None:
    """`mien up` doesn't wait for torch or OpenCV to be imported."""
    code = "import sys, mien_local.command; print(sorted({'torch', 'cv2', 'ray', 'jinja2'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
