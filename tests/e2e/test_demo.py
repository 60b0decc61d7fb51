"""`mien demo`: from nothing to a report and back to nothing."""

from pathlib import Path

import pytest
from PIL import Image

from tests import faces
from tests.e2e.conftest import left_behind, mien

pytestmark = pytest.mark.timeout(300)


def test_the_demo_shows_a_report_and_leaves_nothing_running(tmp_path: Path) -> None:
    """Exit 0 with the report, a line for each application, pictures and page where it says, and no process."""
    home = tmp_path / "home"
    photo = tmp_path / "portrait.jpg"
    photo.write_bytes(faces.jpeg_bytes(faces.astronaut_portrait()))
    demo = mien("demo", "--photo", str(photo), home=home)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for word in ("pose", "tone", "serving", "kafka", "portrait-annotated.png"):
        assert word in demo.stdout.lower()
    annotated = (home / "out" / "portrait-annotated.png").read_bytes()
    assert annotated.startswith(b"\x89PNG")
    page = home / "out" / "portrait-report" / "index.html"
    assert f"report page: {page}" in demo.stdout
    assert "Wrinkles" in page.read_text()
    assert (page.parent / "portrait" / "annotated.png").read_bytes() == annotated
    lines = demo.stdout.splitlines()
    for application in ("GlamAI", "Glow Cycle", "Movie Poster", "Skin Chapters", "TryOnAI"):
        assert len([line for line in lines if line.startswith(f"{application} ")]) == 1, demo.stdout
    for picture, form in (("poster.png", "PNG"), ("tryon.webp", "WEBP")):
        assert str(home / "out" / picture) in demo.stdout
        with Image.open(home / "out" / picture) as opened:
            opened.load()
            assert opened.format == form
    assert left_behind(home) == []


def test_a_photo_without_a_face_ends_with_its_code(tmp_path: Path) -> None:
    """Exit code not 0, no_face and what to do about it; nothing is left running."""
    home = tmp_path / "home"
    photo = tmp_path / "coffee.jpg"
    photo.write_bytes(faces.jpeg_bytes(faces.no_face()))
    demo = mien("demo", "--photo", str(photo), home=home)
    assert demo.returncode != 0
    assert "no_face" in demo.stdout + demo.stderr
    assert left_behind(home) == []
