"""The model files of the tests, the pictures they are asked about, and ways to cut and to damage a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien_serving.face.detector import SHORT_RANGE, Detector
from mien_serving.face.mesh import MeshModel
from mien_serving.face.model_files import MESH, SHORT_RANGE_DETECTOR, installed_model_files
from mien_serving.face.region import Region, region_of_detection, region_of_points
from mien_serving.face.topology import LEFT_EYE, RIGHT_EYE
from mien_serving.tflite.flatbuffer import Table, root
from mien_serving.tflite.schema import (
    IDENTIFIER,
    ModelField,
    OperatorCodeField,
    OperatorField,
    SubgraphField,
)
from tests import faces
from tests.litert import LiteRtExecutor

Batch = NDArray[np.float32]

# Shorter constants are options: paddings, shapes. In bytes.
SHORTEST_WEIGHTS: Final = 40

SHORT: Final = "face_detection/face_detection_short_range"
FULL: Final = "face_detection/face_detection_full_range_sparse"
MESH_FILE: Final = "face_landmark/face_landmark"
ATTENTION: Final = "face_landmark/face_landmark_with_attention"
IRIS: Final = "iris_landmark/iris_landmark"
SELFIE: Final = "selfie_segmentation/selfie_segmentation"
SELFIE_LANDSCAPE: Final = "selfie_segmentation/selfie_segmentation_landscape"


def model_file(name: str) -> Path:
    """Where the installed mediapipe distribution has a file."""
    return Path(str(distribution("mediapipe").locate_file(f"mediapipe/modules/{name}.tflite")))


@dataclass(frozen=True)
class Seen:
    """A photo, and where the face in it is."""

    photo: faces.Picture
    face: Region
    eyes: tuple[Region, Region]


@cache
def seen() -> list[Seen]:
    """24 photos: turned, mirrored, darker, brighter, unevenly lit, blurred, grey, small and large.

    The regions come from the oracle, so that what is tested has no say in them.
    """
    whole = faces.astronaut_1080p()
    side_light = np.linspace(0.3, 1.5, whole.shape[1])[None, :, None]
    plain = [
        whole,
        faces.mirrored(whole),
        faces.relit(whole, 0.4),
        faces.relit(whole, 2.0),
        faces.relit(whole, side_light),
        faces.blurred(whole, 3.0),
        faces.grey(whole),
        faces.astronaut(),
    ]
    turned = [faces.rotated(photo, degrees) for photo in plain for degrees in (-25.0, 15.0)]
    files = installed_model_files()
    detector = Detector(LiteRtExecutor(files.paths[SHORT_RANGE_DETECTOR]), SHORT_RANGE)
    mesh = MeshModel(LiteRtExecutor(files.paths[MESH]))
    result = []
    for photo in [*plain, *turned]:
        [detection, *_] = detector.detect([photo])[0]
        [found] = mesh.fit([photo], [region_of_detection(detection)])
        face = region_of_points(found.points)
        eyes = tuple(_around_eye(found.points[list(eye)], face.angle) for eye in (RIGHT_EYE, LEFT_EYE))
        result.append(Seen(photo, face, (eyes[0], eyes[1])))
    return result


@cache
def batch_for(name: str) -> Batch:
    """At least 20 pictures as a model's file wants them."""
    match name:
        case "face_landmark/face_landmark" | "face_landmark/face_landmark_with_attention":
            return _unit([one.face.cut(one.photo, 192) for one in seen()])
        case "iris_landmark/iris_landmark":
            return _unit([eye.cut(one.photo, 64) for one in seen() for eye in one.eyes])
        case "selfie_segmentation/selfie_segmentation":
            return _unit([_around(one).cut(one.photo, 256) for one in seen()])
        case "selfie_segmentation/selfie_segmentation_landscape":
            return _unit([faces.resized(one.photo, 256, 144) for one in seen()])
        case _:
            size = 128 if name == SHORT else 192
            return _unit([_around(one).cut(one.photo, size) for one in seen()]) * 2 - 1


def _around_eye(contour: NDArray[np.float64], angle: float) -> Region:
    x, y = contour[:, :2].mean(axis=0)
    return Region(float(x), float(y), 2.3 * float(np.ptp(contour[:, 0])), angle)


def _around(one: Seen) -> Region:
    return Region(one.face.x, one.face.y, 2.5 * one.face.side, 0.0)


def _unit(pictures: Sequence[NDArray[np.uint8]]) -> Batch:
    return np.stack(pictures).astype(np.float32) / np.float32(255)


def part_of(content: bytes, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """The same file, reduced to what leads from some tensors to others; sizes and places stay, so it is short work.

    There may be no more inputs and outputs than the file has.
    """
    patched = bytearray(content)
    subgraph = root(content, IDENTIFIER).tables(ModelField.SUBGRAPHS)[0]
    operators = subgraph.tables(SubgraphField.OPERATORS)
    needed, kept = set(outputs), []
    for operator in reversed(operators):
        made = operator.array(OperatorField.OUTPUTS, "<i4")
        if needed.intersection(made.tolist()) and not set(made.tolist()) & set(inputs):
            needed.update(operator.array(OperatorField.INPUTS, "<i4").tolist())
            kept.append(operator)
    start, _ = subgraph._vector(SubgraphField.OPERATORS, 4)
    _write(patched, start, [one.position - (start + 4 * place) for place, one in enumerate(reversed(kept))])
    _write(patched, subgraph._vector(SubgraphField.INPUTS, 4)[0], inputs)
    _write(patched, subgraph._vector(SubgraphField.OUTPUTS, 4)[0], outputs)
    return bytes(patched)


def with_operator_replaced(content: bytes, old: int, new: int) -> bytes:
    """The same file with another number for one of its built-in operators."""
    patched = bytearray(content)
    for code in root(content, IDENTIFIER).tables(ModelField.OPERATOR_CODES):
        for field in (OperatorCodeField.OLD_CODE, OperatorCodeField.CODE):
            place = code._place(field)
            if place is not None and content[place] == old:
                patched[place] = new
    return bytes(patched)


def shape_of(content: bytes, tensor: int) -> list[int]:
    """A tensor's shape."""
    table: Table = root(content, IDENTIFIER).tables(ModelField.SUBGRAPHS)[0].tables(SubgraphField.TENSORS)[tensor]
    shape: list[int] = table.array(0, "<i4").tolist()
    return shape


def _write(patched: bytearray, start: int, numbers: Sequence[int]) -> None:
    """Put numbers into a vector that had at least as many, and its new length before them."""
    values = np.array([len(numbers), *numbers], dtype="<i4").tobytes()
    patched[start - 4 : start - 4 + len(values)] = values


def structure_of(content: bytes) -> NDArray[np.int64]:
    """The places in a file that aren't weights: where a changed byte means something else than another number."""
    weights = np.zeros(len(content), dtype=bool)
    for table in root(content, IDENTIFIER).tables(ModelField.BUFFERS):
        start, length = table._vector(0, 1)
        weights[start : start + (length if length > SHORTEST_WEIGHTS else 0)] = True
    return np.flatnonzero(~weights)
