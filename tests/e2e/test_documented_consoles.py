"""Pages for people at a console: what they show can be pasted and works."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Platform

pytestmark = pytest.mark.timeout(300)

DOCS = Path(__file__).parents[2] / "docs"
UP = "make up && source .mien/dev.env"
# what the server refuses fails, and so does the script
CAREFUL = 'curl() { command curl --fail-with-body "$@"; }'


def commands(page: str) -> list[str]:
    """The page's commands in their order; a line that ends with a backslash goes on in the next one."""
    blocks = re.findall(r"^```console\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    shown = re.findall(r"^\$ ((?:.*\\\n)*.*)$", "".join(blocks), re.MULTILINE)
    return [command for command in shown if command != UP]


@pytest.mark.parametrize("page", ["posters.md", "privacy.md"])
def test_what_a_page_shows_works(page: str, platform: Platform, tmp_path: Path) -> None:
    """Each command of the page, one after another, is taken by the server."""
    (tmp_path / ".mien").symlink_to(platform.home)
    shown = commands(page)
    assert len(shown) > 1
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([CAREFUL, *shown])],
        cwd=tmp_path,
        env={**os.environ, **platform.environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for job in re.findall(r"^location: (/jobs/\S+)", ran.stdout, re.MULTILINE):
        # other tests have users of the same names, who may not be written about meanwhile
        platform.client.get(f"{job}/events", timeout=120).raise_for_status()
        assert platform.client.get(job).json()["status"] == "completed"
