"""A .tflite file as plain data: tensors, operators in the order they run, weights unpacked to float32."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_serving.tflite.flatbuffer import CorruptError, Table, root
from mien_serving.tflite.flexbuffer import Value, read_map
from mien_serving.tflite.schema import (
    BUILTINS,
    CUSTOM,
    ELEMENTS,
    IDENTIFIER,
    INDEX_TYPES,
    OTHERS,
    LevelField,
    ModelField,
    OperatorCodeField,
    OperatorField,
    SparsityField,
    SubgraphField,
    TensorField,
)
from mien_serving.tflite.sparse import Level, Sparsity, densify

# A damaged shape shall not ask for all of the memory; the largest tensors of these files have half a million numbers.
_LARGEST: Final = 1 << 24
# The outermost thing of these buffers is a map; Convolution2DTransposeBias has three bare integers instead.
_TRANSPOSED_CONVOLUTION: Final = "Convolution2DTransposeBias"


@dataclass(frozen=True)
class Tensor:
    """shape as in the file (pictures: 1 x height x width x channels); constant is its content where it has one."""

    name: str
    shape: tuple[int, ...]
    constant: NDArray[np.generic] | None = None


@dataclass(frozen=True)
class Operator:
    """kind is the schema's name, or the custom operator's own; inputs and outputs index the graph's tensors.

    An optional input that was left out is -1.
    """

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Value]


@dataclass(frozen=True)
class Graph:
    """What a file computes; no operator's inputs are all constant."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(content: bytes, name: str) -> Graph:
    """What a file computes.

    Args:
        content: the whole file.
        name: what to call it in an error.

    Raises:
        Rejected: model_file_corrupt, or unsupported_operator when an operator or its kind of data isn't known.
    """
    try:
        return _unpacked(_read(content, name), name)
    except CorruptError as error:
        raise corrupt(name) from error


def corrupt(name: str) -> Rejected:
    """The error about a file that is damaged or no model at all."""
    return Rejected(
        "model_file_corrupt", f"The model file {name} is damaged or no .tflite file. Build the artifact again."
    )


def unsupported(name: str, what: str) -> Rejected:
    """The error about something in a file that nothing here runs."""
    return Rejected(
        "unsupported_operator", f"The model file {name} uses {what}, which is not supported. Use another model."
    )


def _read(content: bytes, name: str) -> Graph:
    model = root(content, IDENTIFIER)
    subgraphs = model.tables(ModelField.SUBGRAPHS)
    if len(subgraphs) != 1:
        raise CorruptError
    [subgraph] = subgraphs
    buffers = model.tables(ModelField.BUFFERS)
    tensors = tuple(_tensor(table, buffers, name) for table in subgraph.tables(SubgraphField.TENSORS))
    codes = model.tables(ModelField.OPERATOR_CODES)
    operators = tuple(_operator(table, codes, name) for table in subgraph.tables(SubgraphField.OPERATORS))
    graph = Graph(
        tensors, operators, _indices(subgraph, SubgraphField.INPUTS), _indices(subgraph, SubgraphField.OUTPUTS)
    )
    _check(graph)
    return graph


def _check(graph: Graph) -> None:
    """Every tensor that is used exists, and was computed before."""
    known = {index for index, tensor in enumerate(graph.tensors) if tensor.constant is not None} | {*graph.inputs}
    count = len(graph.tensors)
    for operator in graph.operators:
        if not operator.inputs or len(operator.outputs) != 1 or not known.issuperset({*operator.inputs} - {-1}):
            raise CorruptError
        known.update(operator.outputs)
    if not graph.inputs or not graph.outputs or not known.issuperset(graph.outputs):
        raise CorruptError
    if not all(0 <= index < count for index in known):
        raise CorruptError


def _tensor(table: Table, buffers: Sequence[Table], name: str) -> Tensor:
    shape = _indices(table, TensorField.SHAPE)
    if any(side < 1 for side in shape) or math.prod(shape) > _LARGEST:
        raise CorruptError
    tensor = Tensor(table.text(TensorField.NAME), shape)
    number = int(table.number(TensorField.BUFFER, "I"))
    if number >= len(buffers):
        raise CorruptError
    content = buffers[number].array(0, "u1")
    if not content.size:
        return tensor
    element = ELEMENTS.get(int(table.number(TensorField.TYPE, "b")))
    if element is None:
        raise unsupported(name, f"numbers of a type it holds in the tensor {tensor.name!r}")
    dtype = np.dtype(element)
    if content.size % dtype.itemsize:
        raise CorruptError
    values = content.view(dtype)
    layout = table.table(TensorField.SPARSITY)
    if layout is not None:
        return replace(tensor, constant=densify(values, shape, _sparsity(layout)))
    if values.size != math.prod(shape):
        raise CorruptError
    return replace(tensor, constant=values.reshape(shape))


def _sparsity(table: Table) -> Sparsity:
    levels = tuple(_level(level) for level in table.tables(SparsityField.LEVELS))
    return Sparsity(_indices(table, SparsityField.ORDER), _indices(table, SparsityField.BLOCKS), levels)


def _level(table: Table) -> Level:
    if not table.number(LevelField.FORMAT, "b"):
        empty = np.zeros(0, dtype=np.int64)
        size = int(table.number(LevelField.SIZE, "i"))
        if size < 1:
            raise CorruptError
        return Level(size, empty, empty)
    return Level(
        0,
        _union_of_integers(table, LevelField.SEGMENTS_TYPE, LevelField.SEGMENTS),
        _union_of_integers(table, LevelField.INDICES_TYPE, LevelField.INDICES),
    )


def _union_of_integers(table: Table, kind: int, field: int) -> NDArray[np.int64]:
    dtype = INDEX_TYPES.get(int(table.number(kind, "B")))
    values = table.table(field)
    if dtype is None or values is None:
        raise CorruptError
    return values.array(0, dtype).astype(np.int64)


def _operator(table: Table, codes: Sequence[Table], name: str) -> Operator:
    number = int(table.number(OperatorField.CODE, "I"))
    if number >= len(codes):
        raise CorruptError
    code = codes[number]
    builtin = max(int(code.number(OperatorCodeField.OLD_CODE, "b")), int(code.number(OperatorCodeField.CODE, "i")))
    version = int(code.number(OperatorCodeField.VERSION, "i", 1))
    inputs, outputs = _indices(table, OperatorField.INPUTS), _indices(table, OperatorField.OUTPUTS)
    if builtin == CUSTOM:
        kind = code.text(OperatorCodeField.CUSTOM_NAME)
        return Operator(kind, version, inputs, outputs, _custom_options(kind, table))
    schema = BUILTINS.get(builtin)
    if schema is None:
        raise unsupported(name, f"the operator {OTHERS.get(builtin, '')} (number {builtin})".replace("  ", " "))
    given = table.table(OperatorField.OPTIONS)
    options = {
        option: default if given is None else int(given.number(field, layout, default))
        for option, (field, layout, default) in schema.options.items()
    }
    return Operator(schema.name, version, inputs, outputs, options)


def _custom_options(kind: str, table: Table) -> Mapping[str, Value]:
    content = table.array(OperatorField.CUSTOM_OPTIONS, "u1").tobytes()
    if kind != _TRANSPOSED_CONVOLUTION:
        return read_map(content) if content else {}
    numbers = np.frombuffer(content[:12], "<i4")
    if numbers.size != 3:  # noqa: PLR2004  # the three names below
        raise CorruptError
    # TensorFlow Lite's own structure counts paddings from 1 (same), unlike the schema.
    return {"padding": int(numbers[0]) - 1, "stride_w": int(numbers[1]), "stride_h": int(numbers[2])}


def _indices(table: Table, field: int) -> tuple[int, ...]:
    return tuple(int(number) for number in table.array(field, "<i4"))


def _unpacked(graph: Graph, name: str) -> Graph:
    """The graph with its weights as the operators want them: sparse ones were unpacked, halves become singles."""
    tensors = list(graph.tensors)
    operators = []
    for operator in graph.operators:
        constant = tensors[operator.inputs[0]].constant
        if operator.kind in {"DENSIFY", "DEQUANTIZE"}:
            if constant is None:
                raise unsupported(name, f"the operator {operator.kind} on something that is computed")
            if constant.dtype.kind != "f":
                raise unsupported(name, f"the operator {operator.kind} on integers")
            [output] = operator.outputs
            kind = np.float32 if operator.kind == "DEQUANTIZE" else constant.dtype
            tensors[output] = replace(tensors[output], constant=constant.astype(kind))
        else:
            operators.append(operator)
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators))
