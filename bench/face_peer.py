"""Finding one face in a 1080p photo, detector and mesh together: mien, and MediaPipe itself, each on one core.

MediaPipe's Python package wants older numpy and protobuf than mien has, so it gets an environment of its own, from
hash-locked requirements, kept in the cache.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import cv2
import torch

from bench.figures import percentile, report
from bench.peers.environment import FOLDER, peers_python
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from tests import faces

# What a detector and a mesh may take.
LIMIT_MS = 15.0
ROUNDS = 40
TURNS = 3


def run() -> None:
    """Print both figures; the two take turns, so that both meet the same load."""
    python = peers_python("mediapipe")
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
    command = [str(python), str(FOLDER / "mediapipe_face.py"), str(photo), str(ROUNDS)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    times: list[float] = json.loads(answer.stdout.splitlines()[-1])
    return times


if __name__ == "__main__":
    run()
