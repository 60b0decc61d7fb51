"""The torch executor against ai-edge-litert, on the same pictures of a face."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien_serving.tflite.executor import TorchExecutor
from tests.devices import DEVICES
from tests.litert import LiteRtExecutor
from tests.tflite_files import (
    ATTENTION,
    FULL,
    IRIS,
    MESH_FILE,
    SELFIE,
    SELFIE_LANDSCAPE,
    SHORT,
    Batch,
    batch_for,
    model_file,
    part_of,
    shape_of,
)

FILES = [SHORT, FULL, MESH_FILE, IRIS, SELFIE, SELFIE_LANDSCAPE]
# In pixels of the model's input.
MEAN_ERROR, LARGEST_ERROR = 0.05, 0.5
# Tensors of the attention mesh: its first mesh, the feature map's parts that its own operators cut out (lips, right
# eye, left eye) and the points found in each of them.
FIRST_MESH, FLAG = 186, 710
CUT_OUT = (199, 200, 201)
FOUND = {199: (684,), 200: (687, 690), 201: (693, 696)}


def outputs(name: str, executor: TorchExecutor | LiteRtExecutor) -> tuple[NDArray[np.float32], ...]:
    return executor.run(batch_for(name))


def landmark_errors(ours: NDArray[np.float32], oracle: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and largest distance of points (x, y, z), in pixels of the model's input."""
    distance = np.linalg.norm((ours - oracle).reshape(-1, 3), axis=1)
    return float(distance.mean()), float(distance.max())


@pytest.mark.parametrize("name", FILES)
def test_more_than_twenty_pictures_are_compared(name: str) -> None:
    """The promise is about at least 20 different crops."""
    batch = batch_for(name)
    assert len(np.unique(batch.reshape(len(batch), -1), axis=0)) >= 20


@pytest.mark.parametrize("name", [MESH_FILE, IRIS])
def test_landmarks_are_the_oracles(name: str) -> None:
    """Each output of points: mean error below 0.05 pixels, none above 0.5; the mesh's face flag to a thousandth."""
    ours = outputs(name, TorchExecutor(model_file(name)))
    oracle = outputs(name, LiteRtExecutor(model_file(name)))
    points = [index for index, one in enumerate(oracle) if one[0].size > 1]
    assert points
    for index in points:
        mean, largest = landmark_errors(ours[index], oracle[index])
        assert mean < MEAN_ERROR
        assert largest < LARGEST_ERROR
    for index in {*range(len(oracle))} - {*points}:
        np.testing.assert_allclose(ours[index], oracle[index], atol=1e-3)


@pytest.mark.parametrize("name", [SHORT, FULL])
def test_detections_are_the_oracles(name: str) -> None:
    """Every anchor's box and keypoints agree to a hundredth of a pixel, its score to a thousandth."""
    boxes, logits = outputs(name, TorchExecutor(model_file(name)))
    oracle_boxes, oracle_logits = outputs(name, LiteRtExecutor(model_file(name)))
    np.testing.assert_allclose(boxes, oracle_boxes, atol=0.01)
    scores, oracle_scores = (1 / (1 + np.exp(-one.clip(-50, 50))) for one in (logits, oracle_logits))
    np.testing.assert_allclose(scores, oracle_scores, atol=1e-3)
    # There is a face to be seen in every one of them.
    assert (oracle_scores.reshape(len(scores), -1).max(axis=1) > 0.5).mean() > 0.8


@pytest.mark.parametrize("name", [SELFIE, SELFIE_LANDSCAPE])
def test_the_segmentation_is_the_oracles(name: str) -> None:
    """Of each picture, person and background overlap by at least 0.995 (intersection over union)."""
    [ours] = outputs(name, TorchExecutor(model_file(name)))
    [oracle] = outputs(name, LiteRtExecutor(model_file(name)))
    for one, other in zip(ours > 0.5, oracle > 0.5, strict=True):
        assert 0.05 < other.mean() < 0.95
        assert (one & other).sum() / (one | other).sum() >= 0.995


@pytest.mark.parametrize("part", [None, *CUT_OUT])
def test_the_attention_meshs_own_networks_are_the_oracles(part: int | None, tmp_path: Path) -> None:
    """Its first mesh, and what it finds in each part it cuts out: all of it that the oracle's operators can do.

    The oracle lacks three of its operators, so the file is cut into four before and behind them; the parts are those
    that torch cut out.
    """
    content = model_file(ATTENTION).read_bytes()
    file = tmp_path / "part.tflite"
    if part is None:
        pictures = batch_for(ATTENTION)
        file.write_bytes(part_of(content, [0], [FIRST_MESH, FLAG]))
    else:
        file.write_bytes(part_of(content, [0], CUT_OUT))
        pictures = dict(zip(CUT_OUT, TorchExecutor(file).run(batch_for(ATTENTION)), strict=True))[part]
        assert [1, *pictures.shape[1:]] == shape_of(content, part)
        assert pictures.std() > 0.01
        file.write_bytes(part_of(content, [part], FOUND[part]))
    ours, oracle = (executor(file).run(pictures) for executor in (TorchExecutor, LiteRtExecutor))
    for one, other in zip(ours, oracle, strict=True):
        error = np.abs(one - other)
        assert error.mean() < MEAN_ERROR
        assert error.max() < LARGEST_ERROR


@pytest.mark.parametrize("name", [*FILES, ATTENTION])
def test_a_batch_is_as_good_as_one_by_one(name: str) -> None:
    """Every output has the batch first, whatever the file says; neighbours move nothing beyond rounding."""
    executor = TorchExecutor(model_file(name))
    batch = batch_for(name)[:11]
    together = executor.run(batch)
    assert {len(output) for output in together} == {11}
    for index in (0, 7, 10):
        for alone, one in zip(executor.run(batch[index : index + 1]), together, strict=True):
            np.testing.assert_allclose(alone[0], one[index], atol=2e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [*FILES, ATTENTION])
def test_half_precision_is_close(name: str, device: str) -> None:
    """Half the bits, nearly the same answer; see half_is_close for the limits."""
    half_is_close(name, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [*FILES, ATTENTION])
def test_every_device_gives_what_another_executor_on_the_cpu_gives(name: str, device: str) -> None:
    """Single precision: the same limits as against the oracle, for landmarks and for all else."""
    for ours, other in zip(
        outputs(name, TorchExecutor(model_file(name), device=device)),
        outputs(name, TorchExecutor(model_file(name), threads=2)),
        strict=True,
    ):
        assert np.abs(ours - other).mean() < MEAN_ERROR
        assert np.abs(ours - other).max() < LARGEST_ERROR


def half_is_close(name: str, device: str) -> None:
    """Landmarks keep the limits of single precision, masks and boxes get wider ones."""
    exact: tuple[Batch, ...] = TorchExecutor(model_file(name)).run(batch_for(name)[:4])
    half: tuple[Batch, ...] = TorchExecutor(model_file(name), device=device, half=True).run(batch_for(name)[:4])
    for one, other in zip(half, exact, strict=True):
        assert one.dtype == np.float32
        assert np.abs(one - other).mean() < MEAN_ERROR
        if name in {SELFIE, SELFIE_LANDSCAPE}:
            assert ((one > 0.5) == (other > 0.5)).mean() > 0.998
        else:
            # Far from any face a detector's raw numbers reach 200, of which half precision keeps an eighth.
            assert np.abs(one - other).max() < (2.0 if name in {SHORT, FULL} else LARGEST_ERROR)
