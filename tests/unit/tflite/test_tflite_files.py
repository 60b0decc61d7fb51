"""What is read from a model's file, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien_core.errors import Rejected
from mien_serving.tflite.executor import TorchExecutor
from mien_serving.tflite.graph import read_graph
from tests.tflite_files import (
    ATTENTION,
    FULL,
    IRIS,
    MESH_FILE,
    SELFIE,
    SELFIE_LANDSCAPE,
    SHORT,
    model_file,
    structure_of,
    with_operator_replaced,
)

PRELU, SOFTMAX, UNKNOWN = 54, 25, 120


@pytest.mark.parametrize("name", [SHORT, FULL, MESH_FILE, ATTENTION, IRIS, SELFIE, SELFIE_LANDSCAPE])
def test_weights_come_unpacked(name: str) -> None:
    """Sparse and half-precision weights are unpacked when the file is read: nothing of it is left to every run."""
    graph = read_graph(model_file(name).read_bytes(), name)
    assert not {"DENSIFY", "DEQUANTIZE"} & {operator.kind for operator in graph.operators}
    weights = [
        graph.tensors[operator.inputs[1]].constant for operator in graph.operators if operator.kind.endswith("CONV_2D")
    ]
    assert weights
    assert all(weight is not None and weight.dtype == np.float32 and weight.std() > 0 for weight in weights)


@pytest.mark.parametrize(("new", "named"), [(SOFTMAX, "SOFTMAX"), (UNKNOWN, "120")], ids=["known by name", "unknown"])
def test_an_operator_that_nothing_runs_is_named(new: int, named: str, tmp_path: Path) -> None:
    """Code unsupported_operator; the detail names the operator and the file."""
    file = tmp_path / "other.tflite"
    file.write_bytes(with_operator_replaced(model_file(MESH_FILE).read_bytes(), PRELU, new))
    with pytest.raises(Rejected) as caught:
        TorchExecutor(file)
    assert caught.value.code == "unsupported_operator"
    assert named in caught.value.detail
    assert file.name in caught.value.detail


@pytest.mark.parametrize(
    "damage",
    [
        lambda _content: b"",
        lambda _content: b"no model at all, but long enough for one",
        lambda content: content[:8],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1000],
        lambda content: content[:4] + b"TFL2" + content[8:],
    ],
    ids=["empty", "text", "head", "half", "nearly all", "another format"],
)
def test_a_cut_file_is_called_damaged(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Code model_file_corrupt, with the file's name; nothing else escapes."""
    file = tmp_path / "cut.tflite"
    file.write_bytes(damage(model_file(SHORT).read_bytes()))
    with pytest.raises(Rejected) as caught:
        TorchExecutor(file)
    assert caught.value.code == "model_file_corrupt"
    assert file.name in caught.value.detail


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([SHORT, ATTENTION, SELFIE]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damage_anywhere_is_refused_or_harmless(name: str, changes: list[tuple[float, int]], tmp_path: Path) -> None:
    """Whatever bytes beside the weights change, a file loads or is refused with one of the two codes.

    No other error, and no endless memory.
    """
    content = bytearray(model_file(name).read_bytes())
    places = structure_of(bytes(content))
    for place, value in changes:
        content[places[int(place * len(places))]] = value
    file = tmp_path / "damaged.tflite"
    file.write_bytes(content)
    codes = set()
    try:
        TorchExecutor(file)
    except Rejected as error:
        codes.add(error.code)
    assert codes <= {"model_file_corrupt", "unsupported_operator"}


def test_the_number_of_threads_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run uses its own number of threads, and leaves the process's as it was."""
    executor = TorchExecutor(model_file(IRIS), threads=1)
    used = []
    forward = executor._module.forward

    def watched(pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        used.append(torch.get_num_threads())
        return forward(pictures)

    monkeypatch.setattr(executor._module, "forward", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        executor.run(np.zeros((1, 64, 64, 3), dtype=np.float32))
        assert used == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_batch_that_may_not_be_written_is_read() -> None:
    """A view of somebody else's picture, or one that isn't contiguous, is fine, and stays as it was."""
    executor = TorchExecutor(model_file(IRIS))
    batch = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    straight = np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
    straight.setflags(write=False)
    before = straight.copy()
    for one, other in zip(executor.run(straight), executor.run(batch.transpose(0, 2, 3, 1)), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(straight, before)
