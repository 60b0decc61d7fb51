"""What layers are built from: one file's shapes, constants and options, each checked when it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch

from mien_core.errors import Rejected
from mien_serving.tflite.flexbuffer import Value
from mien_serving.tflite.graph import Graph, corrupt, unsupported
from mien_serving.tflite.plan import Step
from mien_serving.tflite.schema import Activation


@dataclass(frozen=True)
class Builder:
    """Reads what a layer needs from a step: shapes, constants, options.

    Args:
        graph: what the file computes.
        name: what to call it in an error.
        dtype: of weights and pictures.
    """

    graph: Graph
    name: str
    dtype: torch.dtype

    def refuse(self, step: Step, how: str) -> Rejected:
        """The error about an operator used in a way that its layer doesn't know."""
        return unsupported(self.name, f"the operator {step.operator.kind} {how}")

    def shape(self, step: Step, position: int = 0) -> tuple[int, ...]:
        """The shape of one of a step's computed inputs, in the file's order; its batch is 1."""
        return self.graph.tensors[step.inputs[position]].shape

    def result_shape(self, step: Step) -> tuple[int, ...]:
        """The shape of a step's result, in the file's order; its batch is 1."""
        return self.graph.tensors[step.output].shape

    def constant(self, step: Step, position: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        """One of an operator's inputs, which must be constant.

        Raises:
            Rejected: unsupported_operator, when it isn't.
        """
        inputs = step.operator.inputs
        index = inputs[position] if position < len(inputs) else -1
        values = self.graph.tensors[index].constant if index >= 0 else None
        if values is None:
            raise self.refuse(step, "with computed weights or options")
        tensor = torch.from_numpy(values.copy())
        return tensor.to(dtype or self.dtype) if tensor.is_floating_point() else tensor

    def integers(self, step: Step, position: int) -> list[int]:
        """One of an operator's inputs as a list of integers."""
        return [int(number) for number in self.constant(step, position).reshape(-1)]

    def activation(self, step: Step) -> Activation:
        """What an operator applies to its result."""
        number = number_of(step.operator.options, "activation")
        if number not in [*Activation]:
            raise self.refuse(step, f"with the activation {number}")
        return Activation(number)

    def pair(self, step: Step, option: str) -> tuple[int, int]:
        """An option for both directions, down and across: stride, dilation, filter.

        Raises:
            Rejected: model_file_corrupt, when it reaches beyond the picture.
        """
        _, height, width, _ = self.shape(step)
        options = step.operator.options
        down, across = number_of(options, f"{option}_h"), number_of(options, f"{option}_w")
        # At least 4, since the last pictures before a head may be smaller than a stride.
        if not (1 <= down <= max(height, 4) and 1 <= across <= max(width, 4)):
            raise corrupt(self.name)
        return down, across


def number_of(options: Mapping[str, Value], name: str) -> int:
    """An option that is an integer."""
    return int(cast("int", options[name]))
