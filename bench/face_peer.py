"""Finding one face in a 1080p photo, detector and mesh together: mien, and MediaPipe itself, each on one core.

MediaPipe's Python package wants older numpy and protobuf than mien has, so it gets an environment of its own, from
hash-locked requirements, kept in the cache.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import torch

from bench.figures import percentile, report
from mien_local.cache import cache_folder, exclusively
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from tests import faces

# What a detector and a mesh may take.
LIMIT_MS = 15.0
ROUNDS = 40
TURNS = 3
PEERS = Path(__file__).parent / "peers"


def run() -> None:
    """Print both figures; the two take turns, so that both meet the same load."""
    python = _mediapipe_python()
    pixels = faces.astronaut_1080p()
    engine = FaceEngine(installed_model_files(), threads=1)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    ours: list[float] = []
    theirs: list[float] = []
    try:
        with tempfile.TemporaryDirectory(prefix="mien-bench-") as folder:
            photo = Path(folder) / "photo.jpg"
            photo.write_bytes(faces.jpeg_bytes(pixels))
            for _ in range(TURNS):
                ours += [_milliseconds(engine, pixels) for _ in range(ROUNDS)]
                theirs += _of_mediapipe(python, photo)
    finally:
        os.sched_setaffinity(0, before)
    value, peer = percentile(ours, 50), percentile(theirs, 50)
    # mien asks two detectors and looks twice at each face, so that far faces are found and cats aren't.
    report("face_in_1080p_photo_p50", value, "ms", peer, runner="mien", cores=1, limit_is="mediapipe")
    report("face_in_1080p_photo_p50", peer, "ms", LIMIT_MS, runner="mediapipe", cores=1)


def _milliseconds(engine: FaceEngine, pixels: faces.Picture) -> float:
    timings = engine.analyse([pixels])[0].timings
    return timings["detect"] + timings["mesh"]


def _of_mediapipe(python: Path, photo: Path) -> list[float]:
    command = [str(python), str(PEERS / "mediapipe_face.py"), str(photo), str(ROUNDS)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    times: list[float] = json.loads(answer.stdout.splitlines()[-1])
    return times


def _mediapipe_python() -> Path:
    """Make MediaPipe's environment, unless it is there."""
    folder = cache_folder() / "peers" / "mediapipe"
    python = folder / "bin" / "python"
    installed = folder / "installed"
    requirements = PEERS / "mediapipe.txt"
    with exclusively(folder.with_suffix(".lock")):
        if not installed.exists() or installed.read_text() != requirements.read_text():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
            subprocess.run([str(python), *install, str(requirements)], check=True)
            installed.write_text(requirements.read_text())
            print(f"installed mediapipe in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return python


if __name__ == "__main__":
    run()
