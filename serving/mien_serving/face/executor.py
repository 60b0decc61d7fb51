"""The port between the face library and whatever runs a model's file."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# Pictures on the host, or already where the model runs.
Batch = NDArray[np.float32] | Tensor


class Executor(Protocol):
    """A loaded model; safe to call from several threads."""

    def run(self, batch: Batch) -> tuple[NDArray[np.float32], ...]:
        """Run the model on a batch of N pictures.

        Args:
            batch: N x height x width x channels as the model wants them, N at least 1, single precision.

        Returns:
            The outputs in the order of the model's file, each with N as its first axis.
        """


# Makes an executor of a model's file and the number of threads that it may use.
LoadExecutor = Callable[[Path, int], Executor]
