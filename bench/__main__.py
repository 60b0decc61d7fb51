"""`make bench`: the figures of a platform that it starts and stops, of the libraries, of the pipeline beside others."""

import os
import sys
import tempfile
from pathlib import Path

from bench import (
    api_latency,
    api_start,
    bench_skin,
    credentials,
    cycle,
    face,
    face_peer,
    idempotency,
    limits,
    selfie,
    skin_chapters,
    tflite,
)
from bench.own_postgres import own_postgres
from bench.pipeline import compare
from mien_local.home import Home
from mien_local.state import PartState
from mien_local.supervisor import running
from mien_local.wiring import ROLES_SETTING


def _show(part: PartState) -> None:
    if part.phase in {"ready", "failed"}:
        # standard output is for the figures alone
        print(f"{part.name}: {part.phase}", file=sys.stderr, flush=True)


def main() -> None:
    """Run all benchmarks."""
    os.environ[ROLES_SETTING] = selfie.ROLES
    with tempfile.TemporaryDirectory(prefix="mien-bench-") as folder, running(Home(Path(folder)), _show) as platform:
        selfie.run(platform.environment)
        skin_chapters.run(platform.environment)
        api_start.run(platform.environment)
        credentials.run(platform.environment)
        idempotency.run(platform.environment)
        limits.run(platform.environment)
    with own_postgres() as environment:
        api_latency.run(environment)
    face.run()
    tflite.run()
    face_peer.run()
    bench_skin.run()
    cycle.run()
    compare.run()


if __name__ == "__main__":
    main()
