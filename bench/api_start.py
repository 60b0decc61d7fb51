"""How long the API process takes from its start to its first answer, beside a running platform's parts."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

import httpx

from bench.figures import report

ROUNDS = 5
LIMIT_SECONDS = 3.0


def run(environment: Mapping[str, str]) -> None:
    """Print the figure."""
    seconds = sorted(_start(environment) for _ in range(ROUNDS))
    report("api_start_p50", seconds[ROUNDS // 2], "s", LIMIT_SECONDS, slowest=round(seconds[-1], 2))


def _start(environment: Mapping[str, str]) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {**os.environ, **environment, "MIEN_API__HOST": "127.0.0.1", "MIEN_API__PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mien_api"], env=settings, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=10).raise_for_status()
            except httpx.TransportError:
                time.sleep(0.01)
            else:
                return time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(30)
