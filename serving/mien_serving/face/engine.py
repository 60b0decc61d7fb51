"""The face library's front: photos in, face reports out. Needs no platform; a notebook will do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_core.model.face import BoundingBox, Face, FaceReport, Landmark
from mien_serving.face.crop import crop_of
from mien_serving.face.detector import FULL_RANGE, SHORT_RANGE, Detector
from mien_serving.face.executor import LoadExecutor
from mien_serving.face.finder import Finder, FoundFace
from mien_serving.face.gates import NEEDED_FOR_TONE, quality_of
from mien_serving.face.mesh import CutRegions, MeshModel
from mien_serving.face.model_files import FULL_RANGE_DETECTOR, MESH, SHORT_RANGE_DETECTOR, ModelFiles
from mien_serving.face.pose import pose_of
from mien_serving.face.region import cut_on_host
from mien_serving.face.timings import Timings
from mien_serving.face.tone import tone_in
from mien_serving.tflite.executor import TorchExecutor


@dataclass(frozen=True)
class FaceResult:
    """What became of one photo.

    outcome is the report, or Rejected with the code no_face. timings is the wall time in milliseconds of the steps
    detect, mesh and measures for the whole call, which every photo of the batch waited for.
    """

    outcome: FaceReport | Rejected
    timings: Mapping[str, float]


class FaceEngine:
    """Loaded once, analyses any number of photos; safe to call from several threads.

    Args:
        files: the models' files.
        threads: threads that a model may use.
        load_executor: makes the executor of a model's file; torch on the CPU if not given.
        cut: cuts faces out of photos for the mesh; give cut_on_device with an executor on that device.
    """

    def __init__(
        self,
        files: ModelFiles,
        threads: int = 1,
        load_executor: LoadExecutor = TorchExecutor,
        cut: CutRegions = cut_on_host,
    ) -> None:
        self._finder = Finder(
            Detector(load_executor(files.paths[SHORT_RANGE_DETECTOR], threads), SHORT_RANGE),
            Detector(load_executor(files.paths[FULL_RANGE_DETECTOR], threads), FULL_RANGE),
            MeshModel(load_executor(files.paths[MESH], threads), cut),
        )

    def analyse(self, photos: Sequence[NDArray[np.uint8]]) -> list[FaceResult]:
        """Analyse the largest face of each photo, all photos as one batch.

        Args:
            photos: H x W x 3, 0-255, sRGB, upright, of any sizes.

        Returns:
            One result a photo, in their order.
        """
        timings = Timings()
        found = self._finder.find(photos, timings)
        with timings.step("measures"):
            outcomes = [
                _report(photo, faces) if faces else _no_face() for photo, faces in zip(photos, found, strict=True)
            ]
        spent = timings.milliseconds()
        return [FaceResult(outcome, spent) for outcome in outcomes]


def _no_face() -> Rejected:
    return Rejected(
        "no_face", "No face was found in the photo. Send one in which a face is clearly visible, upright and near."
    )


def _report(photo: NDArray[np.uint8], faces: Sequence[FoundFace]) -> FaceReport:
    points, box = faces[0].points, faces[0].box
    height, width = photo.shape[:2]
    pose = pose_of(points)
    crop = crop_of(photo, points)
    quality = quality_of(photo, points, len(faces), pose, crop)
    failed = {gate.code for gate in quality.gates if not gate.passed}
    relative = np.round(points / np.array([width, height, width]), 5)
    return FaceReport(
        face=Face(
            bounding_box=BoundingBox(
                left=round(box.left / width, 5),
                top=round(box.top / height, 5),
                width=round(box.width / width, 5),
                height=round(box.height / height, 5),
            ),
            confidence=round(faces[0].score, 4),
            face_count=len(faces),
            landmarks=tuple(Landmark(x=x, y=y, z=z) for x, y, z in relative.tolist()),
            pose=pose,
            quality=quality,
        ),
        tone=None if failed & NEEDED_FOR_TONE else tone_in(crop),
    )
