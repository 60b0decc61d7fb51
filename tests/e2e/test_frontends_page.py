"""docs/frontends.md: what it shows can be copied and works."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import faces, typescript
from tests.e2e.conftest import Platform

pytestmark = pytest.mark.timeout(300)

PAGE = Path(__file__).parents[2] / "docs" / "frontends.md"
# what each script begins with; the page's first section has no script of its own
PREAMBLE = "Before the first call"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))
APPLICATIONS = [name for name in SECTIONS if name != PREAMBLE]

# what a browser's page would have
GIVEN = """
import { readFileSync } from "node:fs";
Object.assign(globalThis, {
  BASE: process.env.BASE, TOKEN: process.env.TOKEN,
  photo: new Blob([readFileSync(process.env.PHOTO)], { type: "image/jpeg" }),
});
"""


def script(language: str, section: str) -> str:
    """All of a section's snippets of a language, one after another, after those that every call needs."""
    found = [
        snippet
        for name in (PREAMBLE, section)
        for snippet in re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[name], re.DOTALL | re.MULTILINE)
    ]
    assert len(found) > 1, f"{section} shows nothing in {language}"
    return "\n".join(found)


@pytest.fixture
def environment(platform: Platform, tmp_path: Path) -> dict[str, str]:
    """What the page says that one has before the first call."""
    photo = tmp_path / "me.jpg"
    photo.write_bytes(faces.jpeg_bytes(faces.astronaut_1080p()))
    named = {"BASE": platform.environment["MIEN_URL"], "TOKEN": platform.environment["MIEN_API_KEY"]}
    return {**os.environ, **named, "PHOTO": str(photo)}


@pytest.mark.parametrize("section", APPLICATIONS)
def test_the_curl_calls_work(section: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Pasted into a shell, each call succeeds, and each value that the page reads is there."""
    typescript.program("node", "install Node.js 20 or newer")
    typescript.program("curl", "install curl 7.82 or newer")
    ran = _run(["bash", "-euo", "pipefail", "-c", script("sh", section)], environment, tmp_path)
    printed = ran.stdout.splitlines()
    assert printed
    assert not {"undefined", "null", ""} & set(printed), ran.stdout


@pytest.mark.parametrize("section", APPLICATIONS)
def test_the_typescript_works(section: str, environment: dict[str, str], tmp_path: Path) -> None:
    """The compiler at its strictest has nothing to say, and Node.js runs it to its end."""
    node = typescript.program("node", "install Node.js 20 or newer")
    (tmp_path / "page.mts").write_text(f"export {{}};\n{script('ts', section)}")
    (tmp_path / "given.mjs").write_text(GIVEN)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.asynciterable"]
    _run([node, str(typescript.compiler()), *options, "page.mts"], environment, tmp_path)
    ran = _run([node, "--import", "./given.mjs", "page.mjs"], environment, tmp_path)
    assert ran.stdout.strip()
    assert "undefined" not in ran.stdout


def _run(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran
