"""The environments of those who are compared with mien: hash-locked requirements, kept in the cache."""

import subprocess
import sys
import time
from pathlib import Path

from mien_local.cache import cache_folder, exclusively

FOLDER = Path(__file__).parent


def peers_python(name: str) -> Path:
    """Make the environment of bench/peers/{name}.txt unless it is there; give its interpreter."""
    folder = cache_folder() / "peers" / name
    python = folder / "bin" / "python"
    installed = folder / "installed"
    requirements = FOLDER / f"{name}.txt"
    with exclusively(folder.with_suffix(".lock")):
        if not installed.exists() or installed.read_text() != requirements.read_text():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
            subprocess.run([str(python), *install, str(requirements)], check=True)
            installed.write_text(requirements.read_text())
            print(f"installed {name} in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return python
