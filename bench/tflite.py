"""The model files on one thread: torch, and ai-edge-litert in the same run, in turns so that both meet the same load.

MediaPipe's own figure is in face_peer: it takes whole photos only, not batches of what its models want.
"""

import time
from collections import defaultdict
from collections.abc import Callable

import torch

from bench.figures import percentile, report
from mien_serving.face.executor import Executor
from mien_serving.tflite.executor import TorchExecutor
from tests.litert import LiteRtExecutor
from tests.tflite_files import ATTENTION, FULL, IRIS, MESH_FILE, SELFIE, SHORT, batch_for, model_file

# Detector and mesh, by faces a batch.
LIMITS_MS = {1: 15.0, 32: 10.0}
FACE = (SHORT, MESH_FILE)
OTHERS = (FULL, IRIS, SELFIE, ATTENTION)
SECONDS = 3.0
GPU_LIMIT_MS = 1.0  # 1,000 meshes a second


def run() -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    for size, limit in LIMITS_MS.items():
        works = {
            (name, runner): _work(executor(model_file(name)), name, size)
            for name in FACE
            for runner, executor in (("torch", TorchExecutor), ("ai-edge-litert", LiteRtExecutor))
        }
        medians = _medians(works)
        for runner in ("torch", "ai-edge-litert"):
            each = {name.split("/")[-1]: round(medians[name, runner] / size, 2) for name in FACE}
            report(
                f"detector_and_mesh_batch_{size}_p50",
                sum(medians[name, runner] for name in FACE) / size,
                "ms per face",
                limit,
                runner=runner,
                threads=1,
                files=each,
            )
    _others()
    if torch.cuda.is_available():
        _on_gpu()


def _others() -> None:
    """The files that the face report doesn't need; no limit is set for them, so each is held to the face's."""
    works = {(name, "torch"): _work(TorchExecutor(model_file(name)), name, 1) for name in OTHERS}
    for (name, runner), median in _medians(works).items():
        report(f"{name.split('/')[-1]}_p50", median, "ms", LIMITS_MS[1], runner=runner, batch=1, threads=1)


def _on_gpu() -> None:
    for half in (False, True):
        executor = TorchExecutor(model_file(MESH_FILE), device="cuda", half=half)
        works = {(MESH_FILE, "torch"): _work(executor, MESH_FILE, 256)}
        [median] = _medians(works).values()
        report("mesh_on_gpu_p50", median / 256, "ms per face", GPU_LIMIT_MS, batch=256, half=half)


def _work(executor: Executor, name: str, size: int) -> Callable[[], object]:
    pictures = batch_for(name)
    batch = pictures.repeat(-(-size // len(pictures)), axis=0)[:size]
    return lambda: executor.run(batch)


def _medians(works: dict[tuple[str, str], Callable[[], object]]) -> dict[tuple[str, str], float]:
    """Milliseconds of each work: a few runs of one, then of the next, round and round."""
    spent: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for key, work in works.items():
            work()  # brings its weights back into the caches, as a service's steady work does
            for _ in range(3):
                started = time.perf_counter()
                work()
                spent[key].append((time.perf_counter() - started) * 1000)
    return {key: percentile(values, 50) for key, values in spent.items()}


if __name__ == "__main__":
    run()
