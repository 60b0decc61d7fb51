"""A file as a torch module: pictures in, the file's outputs out."""

from typing import Final

import torch
from torch import Tensor, nn

from mien_serving.tflite.build import build
from mien_serving.tflite.builder import Builder
from mien_serving.tflite.graph import Graph
from mien_serving.tflite.layers import from_file_order, to_file_order
from mien_serving.tflite.plan import plan


class TfliteModule(nn.Module):
    """What a graph computes, for any number of pictures at once.

    Args:
        graph: what to compute; it has one input, a picture.
        name: what to call its file in an error.
        dtype: of weights and pictures; coordinates are computed in single precision whatever it is.

    Raises:
        Rejected: unsupported_operator or model_file_corrupt.
    """

    def __init__(self, graph: Graph, name: str, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        steps = plan(graph)
        builder = Builder(graph, name, dtype)
        self.layers = nn.ModuleList(build(builder, step) for step in steps)
        self._wiring: Final = [(step.inputs, step.output, step.forget) for step in steps]
        [self._input] = graph.inputs
        self._outputs: Final = graph.outputs
        self.dtype: Final = dtype
        # Without the batch, as the file has them.
        self.input_shape: Final = graph.tensors[self._input].shape[1:]
        self.output_shapes: Final = [graph.tensors[index].shape[1:] for index in graph.outputs]

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Run the model.

        Args:
            pictures: batch x height x width x channels.

        Returns:
            The outputs in the file's order and shapes, with the batch as the first axis, single precision.
        """
        values: dict[int, Tensor] = {self._input: from_file_order(pictures.to(self.dtype))}
        for layer, (inputs, output, forget) in zip(self.layers, self._wiring, strict=True):
            values[output] = layer(*[values[index] for index in inputs])
            for index in forget:
                del values[index]
        return tuple(to_file_order(values[index]).float().contiguous() for index in self._outputs)
