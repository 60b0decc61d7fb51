"""Decides how a graph is run: what is merged, what may be overwritten, and when a result is no longer needed.

Pure: graph in, steps out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from mien_serving.tflite.graph import Graph, Operator
from mien_serving.tflite.schema import Padding

_CONVOLUTIONS: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
# Their results share memory with their input.
_VIEWS: Final = frozenset({"RESHAPE", "STRIDED_SLICE"})
# Can write into their first computed input, when nobody else needs it.
_OVERWRITING: Final = frozenset({"ADD", "RELU"})
_PICTURE: Final = 4

# Left, right, top, bottom.
Border = tuple[int, int, int, int]
NO_BORDER: Final[Border] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Step:
    """One operator as it is run.

    inputs are the computed tensors it reads (the constant ones stay in operator.inputs); border is zeros to be put
    around a convolution's picture; overwrites says that the result may take the first input's place; fewer_channels
    says that an addition's second input stands for the first of the channels only; forget lists tensors that no
    later step reads.
    """

    operator: Operator
    inputs: tuple[int, ...]
    output: int
    border: Border = NO_BORDER
    overwrites: bool = False
    fewer_channels: bool = False
    forget: tuple[int, ...] = ()


def plan(graph: Graph) -> list[Step]:
    """The steps of a graph in their order."""
    steps = [_step(graph, operator) for operator in graph.operators]
    steps = _overwriting(graph, _without_borders(graph, steps))
    return _forgetting(graph, _without_channel_padding(graph, steps))


def _step(graph: Graph, operator: Operator) -> Step:
    computed = tuple(index for index in operator.inputs if index >= 0 and graph.tensors[index].constant is None)
    return Step(operator, computed, operator.outputs[0])


def _uses(graph: Graph, steps: list[Step]) -> Counter[int]:
    """How many readers each tensor has; who asked for the outputs is one."""
    return Counter([*(index for step in steps for index in step.inputs), *graph.outputs])


def _without_borders(graph: Graph, steps: list[Step]) -> list[Step]:
    """Merges a PAD of height and width into the one convolution that reads it: the picture isn't copied."""
    uses = _uses(graph, steps)
    borders: dict[int, tuple[int, Border]] = {}
    result = []
    for step in steps:
        padding = paddings(graph, step.operator)
        if padding is not None and uses[step.output] == 1 and padding[0] == padding[3] == (0, 0):
            borders[step.output] = (step.inputs[0], (*padding[2], *padding[1]))
            continue
        result.append(step)
    merged = [_with_border(step, borders) for step in result]
    kept = {index for step in merged for index in step.inputs} | {*graph.outputs}
    # A PAD that something else reads stays.
    return [_with_border(step, borders) for step in steps if step.output not in borders or step.output in kept]


def _with_border(step: Step, borders: dict[int, tuple[int, Border]]) -> Step:
    if (
        step.operator.kind in _CONVOLUTIONS
        and step.operator.options["padding"] == Padding.VALID
        and step.inputs[0] in borders
    ):
        source, border = borders[step.inputs[0]]
        return replace(step, inputs=(source,), border=border)
    return step


def _overwriting(graph: Graph, steps: list[Step]) -> list[Step]:
    """Lets additions and activations write into an input that nobody else reads."""
    uses = _uses(graph, steps)
    viewed = {step.inputs[0] for step in steps if step.operator.kind in _VIEWS}
    # A PAD's result could be overwritten, too, but is better not made at all: see below.
    fresh = {step.output for step in steps if step.operator.kind not in _VIEWS | {"PAD"}} - viewed
    shapes = [tensor.shape for tensor in graph.tensors]

    def may_be_overwritten(step: Step, index: int) -> bool:
        return index in fresh and uses[index] == 1 and shapes[index] == shapes[step.output]

    result = []
    for step in steps:
        first = next((index for index in step.inputs if may_be_overwritten(step, index)), None)
        if step.operator.kind in _OVERWRITING and first is not None:
            others = [index for index in step.inputs if index != first]
            result.append(replace(step, inputs=(first, *others), overwrites=True))
        else:
            result.append(step)
    return result


def _without_channel_padding(graph: Graph, steps: list[Step]) -> list[Step]:
    """Adds a picture with fewer channels to the first ones of another, instead of adding zeros to the rest."""
    uses = _uses(graph, steps)
    padded = {
        step.output: step.inputs[0]
        for step in steps
        if (padding := paddings(graph, step.operator)) is not None
        and uses[step.output] == 1
        and padding[0] == padding[1] == padding[2] == (0, 0)
        and padding[3][0] == 0
    }
    merged = set()
    result = []
    for step in steps:
        match step:
            case Step(operator=Operator(kind="ADD"), overwrites=True, inputs=(target, other)) if other in padded:
                result.append(replace(step, inputs=(target, padded[other]), fewer_channels=True))
                merged.add(other)
            case _:
                result.append(step)
    return [step for step in result if step.output not in merged]


def _forgetting(graph: Graph, steps: list[Step]) -> list[Step]:
    """Says after each step which tensors nobody will read again: their memory is warm for the next result."""
    return list(reversed([*_forgetting_backwards(graph, steps)]))


def _forgetting_backwards(graph: Graph, steps: list[Step]) -> Iterator[Step]:
    needed = {*graph.outputs}
    for step in reversed(steps):
        last = tuple(sorted({*step.inputs} - needed))
        needed.update(step.inputs)
        yield replace(step, forget=last)


def paddings(graph: Graph, operator: Operator) -> tuple[tuple[int, int], ...] | None:
    """Of a PAD of pictures: zeros before and after, for batch, height, width, channels; None for anything else."""
    if operator.kind != "PAD" or len(operator.inputs) != 2:  # noqa: PLR2004  # picture and paddings
        return None
    constant = graph.tensors[operator.inputs[1]].constant
    if constant is None or constant.shape != (_PICTURE, 2):
        return None
    pads = tuple((int(before), int(after)) for before, after in constant)
    sides = graph.tensors[operator.inputs[0]].shape
    sums = tuple(before + side + after for side, (before, after) in zip(sides, pads, strict=False))
    # Also in a damaged file nothing is cut off, and nothing gets larger than the file says.
    fits = min(min(pair) for pair in pads) >= 0 and sums == graph.tensors[operator.outputs[0]].shape
    return pads if fits else None
