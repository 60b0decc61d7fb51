"""One detector model: a picture in, face detections out (BlazeFace: a single-shot detector with fixed anchors).

Anchors and decoding follow the models' published configuration: an anchor is the centre of a cell, its size is 1, and
the model gives each box's centre and size and six keypoints as offsets in input pixels from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien_serving.face.executor import Executor

MERGE_AT_OVERLAP: Final = 0.3


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a photo; may reach beyond it."""

    left: float
    top: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    def overlap(self, other: "Box") -> float:
        """Intersection over union, 0-1."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        shared = max(across, 0.0) * max(down, 0.0)
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True)
class Detection:
    """A face as a detector sees it; its box goes from the brows to the chin.

    keypoints is 6 x 2 (x, y) in pixels of the photo: right eye, left eye, nose tip, mouth, right ear, left ear; score
    is 0-1.
    """

    box: Box
    keypoints: NDArray[np.float64]
    score: float

    def moved(self, right: float, down: float) -> "Detection":
        """The same face in a picture of which this one was cut out, right and down pixels from its corner."""
        box = replace(self.box, left=self.box.left + right, top=self.box.top + down)
        return Detection(box, self.keypoints + np.array([right, down]), self.score)

    def scaled(self, across: float, down: float) -> "Detection":
        """The same face in a picture so many times as wide and as high."""
        box = Box(self.box.left * across, self.box.top * down, self.box.width * across, self.box.height * down)
        return Detection(box, self.keypoints * np.array([across, down]), self.score)


@dataclass(frozen=True)
class DetectorModel:
    """What is fixed in a detector's file.

    size is its square input's side in pixels; grids lists (cells a side, anchors a cell) in the order of its
    outputs; threshold is the least score that its authors accept.
    """

    size: int
    grids: tuple[tuple[int, int], ...]
    threshold: float


SHORT_RANGE: Final = DetectorModel(size=128, grids=((16, 2), (8, 6)), threshold=0.5)
FULL_RANGE: Final = DetectorModel(size=192, grids=((48, 1),), threshold=0.6)


class Detector:
    """Finds faces in whole pictures with one model.

    Args:
        executor: runs the model's file.
        model: what is fixed in that file.
    """

    def __init__(self, executor: Executor, model: DetectorModel) -> None:
        self._executor = executor
        self._model = model
        self._anchors = _anchors(model.grids)

    def detect(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """All faces of each picture, the surest first.

        Args:
            pictures: H x W x 3, 0-255, sRGB, of any sizes.
        """
        if not pictures:
            return []
        batch = np.stack([_letterbox(picture, self._model.size) for picture in pictures])
        boxes, scores = self._executor.run(batch)
        return [
            self._decode(boxes[index], scores[index].reshape(-1), max(picture.shape[:2]), picture.shape)
            for index, picture in enumerate(pictures)
        ]

    def _decode(
        self, raw: NDArray[np.float32], logits: NDArray[np.float32], side: int, shape: tuple[int, ...]
    ) -> list[Detection]:
        scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
        kept = scores >= self._model.threshold
        if not kept.any():
            return []
        scores = scores[kept]
        numbers = raw[kept].astype(np.float64).reshape(-1, 8, 2) / self._model.size
        numbers[:, 0] += self._anchors[kept]
        numbers[:, 2:] += self._anchors[kept, None]
        # From the square input with its border back to the picture.
        height, width = shape[:2]
        corner = np.array([(side - width) // 2, (side - height) // 2])
        numbers *= side
        numbers[:, 0] -= corner
        numbers[:, 2:] -= corner
        found = [
            Detection(_box(centre=rows[0], size=rows[1]), rows[2:], float(score))
            for rows, score in zip(numbers, scores, strict=True)
            if rows[1].min() > 0
        ]
        return merged(found)


def merged(detections: Sequence[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression: each group of overlapping detections becomes its mean, weighted by score.

    A group is the surest detection left and all that overlap it by more than 0.3 (intersection over union); it keeps
    that detection's score. The surest come first.
    """
    left = sorted(detections, key=lambda detection: -detection.score)
    result = []
    while left:
        surest = left[0]
        group = [one for one in left if one is surest or one.box.overlap(surest.box) > MERGE_AT_OVERLAP]
        left = [one for one in left[1:] if one.box.overlap(surest.box) <= MERGE_AT_OVERLAP]
        result.append(_mean(group))
    return result


def _mean(group: Sequence[Detection]) -> Detection:
    weights = np.array([one.score for one in group])
    weights /= weights.sum()
    boxes = np.array([[one.box.left, one.box.top, one.box.width, one.box.height] for one in group])
    left, top, width, height = (float(number) for number in weights @ boxes)
    keypoints = np.tensordot(weights, np.stack([one.keypoints for one in group]), axes=1)
    return Detection(Box(left, top, width, height), keypoints, group[0].score)


def _box(centre: NDArray[np.float64], size: NDArray[np.float64]) -> Box:
    left, top = centre - size / 2
    return Box(float(left), float(top), float(size[0]), float(size[1]))


def _anchors(grids: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Anchor centres, number of anchors x 2 (x, y), 0-1, row by row, all anchors of a cell together."""
    parts = []
    for cells, each in grids:
        centres = (np.arange(cells) + 0.5) / cells
        rows, columns = np.meshgrid(centres, centres, indexing="ij")
        parts.append(np.repeat(np.stack([columns, rows], axis=-1).reshape(-1, 2), each, axis=0))
    return np.concatenate(parts)


def _letterbox(picture: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """The picture in the middle of a black square of size x size, scaled to -1 to 1."""
    height, width = picture.shape[:2]
    side = max(height, width)
    scaled_width, scaled_height = max(1, round(width * size / side)), max(1, round(height * size / side))
    # Averaging over areas when it gets smaller, or fine texture would show up as something else.
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, (scaled_width, scaled_height), interpolation=interpolation)
    left = round((side - width) // 2 * size / side)
    top = round((side - height) // 2 * size / side)
    square = np.full((size, size, 3), -1, dtype=np.float32)
    room = square[top : top + scaled_height, left : left + scaled_width]
    room[:] = scaled[: room.shape[0], : room.shape[1]].astype(np.float32) / 127.5 - 1
    return square
