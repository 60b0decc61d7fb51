"""The face and skin libraries on this machine, without a platform. Importing this takes seconds, because torch does."""

import os
from functools import partial
from typing import Final

import cv2
import torch

from mien_core.errors import Rejected
from mien_core.photo import open_photo
from mien_core.rules.serve_config import revision_name
from mien_local.analysed import Analysed
from mien_serving.artifact import digest_of, pack
from mien_serving.face.annotate import annotate
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.face.timings import Timings
from mien_serving.skin.engine import SkinEngine
from mien_serving.tflite.executor import TorchExecutor

# The models are small: more threads would wait for each other.
_MOST_THREADS: Final = 4


class Library:
    """The engines, their models loaded once.

    The model revision is the one under which a platform of this version runs the same files.

    Raises:
        Missing: model_file_missing.
        Rejected: model_file_corrupt.
    """

    def __init__(self) -> None:
        files = installed_model_files()
        threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        cv2.setNumThreads(threads)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._face = FaceEngine(files, threads, partial(TorchExecutor, device=device))
        self._skin = SkinEngine()
        self._revision = revision_name(digest_of(pack({name: path.read_bytes() for name, path in files.paths.items()})))

    def analyse(self, name: str, content: bytes) -> Analysed:
        """Analyse one photo as the platform would.

        Args:
            name: what a person calls the photo.
            content: the file.

        Raises:
            Rejected: no_face, and all codes of mien_core.photo.open_photo.
        """
        timings = Timings()
        with timings.step("open"):
            photo = open_photo(content)
        [result] = self._face.analyse([photo.pixels])
        if isinstance(result.outcome, Rejected):
            raise result.outcome
        with timings.step("skin"):
            skin = self._skin.analyse(photo.pixels, result.outcome)
        with timings.step("annotate"):
            annotated = annotate(photo.pixels, result.outcome)
        spent = timings.milliseconds()
        milliseconds = {"open": spent["open"], **result.timings, "skin": spent["skin"], "annotate": spent["annotate"]}
        return Analysed(name, photo, result.outcome, skin, self._revision, milliseconds, annotated)
