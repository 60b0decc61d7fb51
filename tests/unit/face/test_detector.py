from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_core.model.face import FaceReport
from mien_serving.face.detector import FULL_RANGE, SHORT_RANGE, Box, Detection, Detector, DetectorModel, merged
from mien_serving.face.finder import FoundFace, distinct, tile_starts
from mien_serving.face.model_files import FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR, ModelFiles
from mien_serving.face.topology import LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from mien_serving.tflite.executor import TorchExecutor
from tests import faces

NOSE_TIP = 4


def detection(left: float, score: float, side: float = 10) -> Detection:
    return Detection(Box(left, 0, side, side), np.zeros((6, 2)), score)


@pytest.mark.parametrize(("name", "model"), [(SHORT_RANGE_DETECTOR, SHORT_RANGE), (FULL_RANGE_DETECTOR, FULL_RANGE)])
def test_each_detector_puts_its_keypoints_onto_the_face(
    name: str, model: DetectorModel, model_files: ModelFiles, astronaut_report: FaceReport
) -> None:
    """In a photo and its mirror image, eyes, nose and mouth are where the mesh has them, to a tenth of the face."""
    points = np.array([[one.x, one.y] for one in astronaut_report.face.landmarks]) * (1920, 1080)
    seen = np.array([points[list(part)].mean(axis=0) for part in (RIGHT_EYE, LEFT_EYE, (NOSE_TIP,), LIPS_OUTER)])
    near = 0.1 * np.ptp(points[:, 0])

    detector = Detector(TorchExecutor(model_files.paths[name]), model)
    photo = faces.astronaut_1080p()
    upright, mirrored = detector.detect([photo, faces.mirrored(photo)])
    assert len(upright) == len(mirrored) == 1
    assert np.abs(upright[0].keypoints[:4] - seen).max() < near
    # In the mirror, the right eye is the left one.
    back = mirrored[0].keypoints[[1, 0, 2, 3]] * [-1, 1] + [1920, 0]
    assert np.abs(back - seen).max() < near


def test_a_batch_is_as_good_as_one_by_one(model_files: ModelFiles) -> None:
    """Photos of different shapes don't disturb each other in a batch."""
    detector = Detector(TorchExecutor(model_files.paths[SHORT_RANGE_DETECTOR]), SHORT_RANGE)
    photos = [faces.astronaut(), faces.no_face(), faces.astronaut_1080p()]
    together = detector.detect(photos)
    alone = [detector.detect([photo])[0] for photo in photos]
    assert [[one.box for one in each] for each in together] == [[one.box for one in each] for each in alone]
    assert [len(each) for each in together] == [1, 0, 1]
    assert detector.detect([]) == []


def test_overlapping_detections_become_their_weighted_mean() -> None:
    """Two boxes of one face merge by score and keep the surer's score; a face beside them stays its own."""
    result = merged([detection(1, 0.5), detection(0, 1.0), detection(30, 0.7)])
    assert [one.score for one in result] == [1.0, 0.7]
    assert result[0].box.left == pytest.approx(1 / 3)
    assert result[1].box.left == pytest.approx(30)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.5, 1)), max_size=12))
def test_merging_loses_no_face_and_keeps_none_twice(found: list[tuple[float, float]]) -> None:
    """Every detection lies in the reach of a result, and there are never more results than detections."""
    given_ones = [detection(left, score) for left, score in found]
    result = merged(given_ones)
    assert len(result) <= len(given_ones)
    assert all(min(abs(one.box.left - kept.box.left) for kept in result) < 10 for one in given_ones)
    assert [one.score for one in result] == sorted((one.score for one in result), reverse=True)


def test_boxes_overlap_by_intersection_over_union() -> None:
    """Half of each shared is a third of the union; apart is 0; the same is 1."""
    box = Box(0, 0, 10, 10)
    assert box.overlap(Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert box.overlap(Box(20, 20, 10, 10)) == 0
    assert box.overlap(box) == 1


@given(st.integers(1, 8000), st.integers(192, 2000))
def test_tiles_cover_everything_and_share_a_quarter(length: int, side: int) -> None:
    """No pixel is left out, no tile reaches beyond, and a face of a quarter of a tile is whole in one of them."""
    starts = tile_starts(length, side)
    assert starts[0] == 0
    assert starts[-1] + side >= length
    assert len(starts) == 1 or starts[-1] + side == length
    assert all(after - before <= side * 0.75 + 1 for before, after in pairwise(starts))


def test_a_face_is_counted_once() -> None:
    """Of two meshes in the same place the surer stays; one beside it stays too."""

    def face(left: float, score: float) -> FoundFace:
        points: NDArray[np.float64] = np.array([[left, 0.0, 0.0], [left + 10, 10.0, 0.0]])
        return FoundFace(score, points)

    assert [one.score for one in distinct([face(1, 0.6), face(0, 0.9), face(30, 0.5)])] == [0.9, 0.5]
