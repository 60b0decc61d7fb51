"""Runs .tflite files with torch, on a CPU or a GPU, many pictures at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien_serving.tflite.graph import corrupt, read_graph, unsupported
from mien_serving.tflite.module import TfliteModule

# As many pictures as still fit a processor's caches while they go through the layers; a GPU wants more at once.
_AT_ONCE_ON_CPU: Final = 8
_AT_ONCE_ON_GPU: Final = 256


class TorchExecutor:
    """An Executor over one file; meets mien_serving.face.executor.Executor and is safe to call from several threads.

    Args:
        path: the model's file.
        threads: threads that one call may use on the CPU. torch keeps one such number for the process: it is set for
            the call and then put back, so threads that call executors with different numbers may use each other's.
        device: where to run, as torch names it: cpu, cuda, cuda:1.
        half: whether to compute in half precision, except for coordinates; for GPUs.

    Raises:
        Rejected: model_file_corrupt or unsupported_operator.
    """

    def __init__(self, path: Path, threads: int = 1, device: str = "cpu", *, half: bool = False) -> None:
        self._threads = threads
        self._device = torch.device(device)
        self._at_once = _AT_ONCE_ON_CPU if self._device.type == "cpu" else _AT_ONCE_ON_GPU
        dtype = torch.float16 if half else torch.float32
        self._module = _load(path.read_bytes(), path.name, dtype).to(self._device)
        # What torch prepares at the first run, no user shall wait for.
        self.run(np.zeros((1, *self._module.input_shape), dtype=np.float32))

    def run(self, batch: NDArray[np.float32] | Tensor) -> tuple[NDArray[np.float32], ...]:
        """See Executor.run."""
        pictures = batch if isinstance(batch, Tensor) else _tensor(batch)
        with torch.inference_mode(), _threads(self._threads):
            answers = [self._module(part.to(self._device)) for part in torch.split(pictures, self._at_once)]
        return tuple(torch.cat(output).cpu().numpy() for output in zip(*answers, strict=True))


def _tensor(batch: NDArray[np.float32]) -> Tensor:
    # torch wants to be allowed to write, though nothing here does.
    return torch.from_numpy(np.require(batch, np.float32, ["C", "W"]))


def _load(content: bytes, name: str, dtype: torch.dtype) -> TfliteModule:
    """The module, tried out once: a damaged file shall be refused now, whatever torch says to it."""
    graph = read_graph(content, name)
    if len(graph.inputs) != 1:
        raise unsupported(name, "several inputs")
    try:
        module = TfliteModule(graph, name, dtype).eval()
        with torch.inference_mode():
            outputs = module(torch.zeros((1, *module.input_shape)))
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise corrupt(name) from error
    if [tuple(output.shape[1:]) for output in outputs] != module.output_shapes:
        raise corrupt(name)
    return module


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if before == number:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
