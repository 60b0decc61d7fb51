"""Unpacks sparse weights: a file may hold only what isn't zero, and where that lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien_serving.tflite.flatbuffer import CorruptError


@dataclass(frozen=True)
class Level:
    """One dimension of a sparse tensor, from the outermost one.

    A dense level has size children below each node; a compressed one those whose places are
    indices[segments[node] : segments[node + 1]], and size is 0.
    """

    size: int
    segments: NDArray[np.int64]
    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Sparsity:
    """How a sparse tensor is laid out.

    order says which dimension each level is; from the tensor's rank on they are the dimensions within blocks, and
    blocks says of each of these which dimension it divides.
    """

    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[Level, ...]


def densify(values: NDArray[np.generic], shape: Sequence[int], sparsity: Sparsity) -> NDArray[np.generic]:
    """The whole tensor.

    Args:
        values: what isn't zero, in the order of the levels.
        shape: the tensor's.
        sparsity: where the values lie.

    Raises:
        CorruptError: when the description doesn't fit the values or the shape.
    """
    rank = len(shape)
    expanded = rank + len(sparsity.blocks)
    if sorted(sparsity.order) != list(range(expanded)) or len(sparsity.levels) != expanded:
        raise CorruptError
    node = np.zeros(1, dtype=np.int64)
    places: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)] * expanded
    for dimension, level in zip(sparsity.order, sparsity.levels, strict=True):
        parents, node, place = _children(node, level, math.prod(shape))
        places = [one[parents] for one in places]
        places[dimension] = place
    # Every value has its node, or the two were written for different tensors.
    if len(node) != len(values) or sorted(node) != list(range(len(values))):
        raise CorruptError
    sizes = {dimension: level.size for dimension, level in zip(sparsity.order, sparsity.levels, strict=True)}
    for number, divided in enumerate(sparsity.blocks):
        if not 0 <= divided < rank:
            raise CorruptError
        places[divided] = places[divided] * sizes[rank + number] + places[rank + number]
    if any(((place < 0) | (place >= side)).any() for place, side in zip(places[:rank], shape, strict=True)):
        raise CorruptError
    dense = np.zeros(shape, dtype=values.dtype)
    dense[tuple(places[:rank])] = values[node]
    return dense


def _children(
    node: NDArray[np.int64], level: Level, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of all children of the nodes: whose they are (index into node), their own number, their place."""
    if level.size:
        if len(node) * level.size > most:
            raise CorruptError
        parents = np.repeat(np.arange(len(node)), level.size)
        place = np.tile(np.arange(level.size), len(node))
        return parents, node[parents] * level.size + place, place
    if node.max(initial=-1) + 1 >= len(level.segments):
        raise CorruptError
    counts = level.segments[node + 1] - level.segments[node]
    if (counts < 0).any() or counts.sum() > most:
        raise CorruptError
    parents = np.repeat(np.arange(len(node)), counts)
    first = np.cumsum(counts) - counts
    child = level.segments[node][parents] + np.arange(len(parents)) - first[parents]
    if child.size and not 0 <= child.min() <= child.max() < len(level.indices):
        raise CorruptError
    return parents, child, level.indices[child]
