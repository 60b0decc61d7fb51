"""TypeScript's compiler and Node.js, for pages whose snippets are run."""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from mien_local.cache import cache_folder, exclusively

VERSION = "5.9.3"
# of the package's archive, as npm tells it
_SHA512 = "jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw=="


def program(name: str, how: str) -> str:
    """The path of a program that must be on the machine; a laptop without it skips the test, CI fails."""
    found = shutil.which(name)
    if found is None:
        _missing(f"there is no {name}: {how}")
    return str(found)


def compiler() -> Path:
    """tsc.js of the pinned version, fetched by npm once and kept among mien's downloads."""
    folder = cache_folder() / f"typescript-{VERSION}"
    script = folder / "package" / "lib" / "tsc.js"
    with exclusively(folder.with_suffix(".lock")):
        if not script.exists():
            _fetch(folder)
    return script


def _fetch(folder: Path) -> None:
    npm = program("npm", "install Node.js 20 or newer with npm")
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    packed = subprocess.run(
        [npm, "pack", f"typescript@{VERSION}", "--silent"], cwd=partial, capture_output=True, text=True, check=False
    )
    if packed.returncode:
        _missing(f"npm can't get TypeScript: {packed.stderr.strip()}")
    content = (partial / packed.stdout.strip().splitlines()[-1]).read_bytes()
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == _SHA512, "not the archive that was pinned"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(partial, filter="data")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
