"""The names and numbers of TensorFlow Lite's schema (version 3) as far as the face models use it.

Fields are numbered as in the published schema.fbs; layouts are struct's.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

IDENTIFIER: Final = b"TFL3"
CUSTOM: Final = 32


class ModelField(IntEnum):
    """Of the table Model."""

    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    BUFFERS = 4


class OperatorCodeField(IntEnum):
    """Of the table OperatorCode; numbers up to 127 used to fit into a byte."""

    OLD_CODE = 0
    CUSTOM_NAME = 1
    VERSION = 2
    CODE = 3


class SubgraphField(IntEnum):
    """Of the table SubGraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3


class TensorField(IntEnum):
    """Of the table Tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    SPARSITY = 6


class OperatorField(IntEnum):
    """Of the table Operator."""

    CODE = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS = 4
    CUSTOM_OPTIONS = 5


class SparsityField(IntEnum):
    """Of the table SparsityParameters."""

    ORDER = 0
    BLOCKS = 1
    LEVELS = 2


class LevelField(IntEnum):
    """Of the table DimensionMetadata."""

    FORMAT = 0
    SIZE = 1
    SEGMENTS_TYPE = 2
    SEGMENTS = 3
    INDICES_TYPE = 4
    INDICES = 5


class Padding(IntEnum):
    """How an operator treats what lies beyond the picture."""

    SAME = 0
    VALID = 1


class Activation(IntEnum):
    """What is applied to an operator's result at once."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3


# Element types by their number; the others don't occur in these files.
ELEMENTS: Final = {0: "<f4", 1: "<f2", 2: "<i4"}
# Types of a sparse dimension's numbers, by the union's number.
INDEX_TYPES: Final = {1: "<i4", 2: "<u2", 3: "u1"}


@dataclass(frozen=True)
class Builtin:
    """A built-in operator: name, and its options as name to (field, layout, default)."""

    name: str
    options: dict[str, tuple[int, str, int]] = field(default_factory=dict)


def _activation(number: int) -> dict[str, tuple[int, str, int]]:
    return {"activation": (number, "b", 0)}


_STRIDES: Final = {"padding": (0, "b", 0), "stride_w": (1, "i", 0), "stride_h": (2, "i", 0)}
_POOL: Final = {**_STRIDES, "filter_w": (3, "i", 0), "filter_h": (4, "i", 0), **_activation(5)}

BUILTINS: Final = {
    0: Builtin("ADD", _activation(0)),
    1: Builtin("AVERAGE_POOL_2D", _POOL),
    2: Builtin("CONCATENATION", {"axis": (0, "i", 0), **_activation(1)}),
    3: Builtin("CONV_2D", {**_STRIDES, **_activation(3), "dilation_w": (4, "i", 1), "dilation_h": (5, "i", 1)}),
    4: Builtin(
        "DEPTHWISE_CONV_2D", {**_STRIDES, **_activation(4), "dilation_w": (5, "i", 1), "dilation_h": (6, "i", 1)}
    ),
    5: Builtin("DEPTH_TO_SPACE", {"block": (0, "i", 0)}),
    6: Builtin("DEQUANTIZE"),
    14: Builtin("LOGISTIC"),
    17: Builtin("MAX_POOL_2D", _POOL),
    18: Builtin("MUL", _activation(0)),
    19: Builtin("RELU"),
    22: Builtin("RESHAPE"),
    23: Builtin("RESIZE_BILINEAR", {"align_corners": (2, "?", 0), "half_pixel_centers": (3, "?", 0)}),
    34: Builtin("PAD"),
    40: Builtin("MEAN"),
    45: Builtin(
        "STRIDED_SLICE",
        {
            name: (number, "i", 0)
            for number, name in enumerate(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_mask"))
        },
    ),
    54: Builtin("PRELU"),
    117: Builtin("HARD_SWISH"),
    124: Builtin("DENSIFY"),
}

# What other files use most, so that an error can name it.
OTHERS: Final = {
    9: "FULLY_CONNECTED",
    21: "RELU6",
    25: "SOFTMAX",
    28: "TANH",
    36: "GATHER",
    39: "TRANSPOSE",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    47: "EXP",
    49: "SPLIT",
    53: "CAST",
    65: "SLICE",
    67: "TRANSPOSE_CONV",
    70: "EXPAND_DIMS",
    74: "SUM",
    83: "PACK",
    97: "RESIZE_NEAREST_NEIGHBOR",
    98: "LEAKY_RELU",
    114: "QUANTIZE",
    126: "BATCH_MATMUL",
}
