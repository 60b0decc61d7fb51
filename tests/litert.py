"""The oracle: runs .tflite files with ai-edge-litert, Google's own interpreter, on the CPU."""

from pathlib import Path
from threading import Lock

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mien_serving.face.executor import Batch


class LiteRtExecutor:
    """An Executor over one interpreter; see mien_serving.face.executor.

    The interpreter is asked for one picture after the other. A larger batch would save nothing on a CPU (measured
    on one thread, eight pictures: detector 9.0 ms one by one, 10.2 ms at once; mesh 12.7 ms either way), and the
    detectors' files can't do it: they reshape to a first axis of 1, which would interleave the pictures' anchors.

    Args:
        path: the model's file.
        threads: threads that one call may use.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        self._outputs: list[int] = [detail["index"] for detail in self._interpreter.get_output_details()]
        # An interpreter has one set of buffers, so one call at a time.
        self._lock = Lock()

    def run(self, batch: Batch) -> tuple[NDArray[np.float32], ...]:
        """See Executor.run."""
        pictures = np.asarray(batch, dtype=np.float32)
        with self._lock:
            answers = [self._run_one(pictures[index : index + 1]) for index in range(len(pictures))]
        return tuple(np.concatenate(output) for output in zip(*answers, strict=True))

    def _run_one(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input, picture)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
