"""Which files the face library runs, where they are and, of those that were installed, that they are the right ones."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mien_core.errors import Missing, Rejected

SHORT_RANGE_DETECTOR = "face_detection_short_range.tflite"
FULL_RANGE_DETECTOR = "face_detection_full_range_sparse.tflite"
MESH = "face_landmark.tflite"

# SHA-256 of each file as mediapipe 0.10.21 carries it (Apache-2.0).
CHECKSUMS: Mapping[str, str] = {
    SHORT_RANGE_DETECTOR: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    FULL_RANGE_DETECTOR: "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    MESH: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
}

_PLACES_IN_MEDIAPIPE: Mapping[str, str] = {
    SHORT_RANGE_DETECTOR: "mediapipe/modules/face_detection",
    FULL_RANGE_DETECTOR: "mediapipe/modules/face_detection",
    MESH: "mediapipe/modules/face_landmark",
}


@dataclass(frozen=True)
class ModelFiles:
    """The models' files; paths has one entry for each name in CHECKSUMS, and each was there when this was made.

    They needn't be the pinned ones: a revision's models may be newer, and what they are says the artifact's digest.

    Raises:
        Missing: model_file_missing.
    """

    paths: Mapping[str, Path]

    def __post_init__(self) -> None:
        for name in CHECKSUMS:
            path = self.paths.get(name)
            if path is None or not path.is_file():
                raise Missing("model_file_missing", f"The model file {name} is not there. Build the artifact again.")

    @classmethod
    def from_directory(cls, directory: Path) -> "ModelFiles":
        """The files in a folder as an unpacked artifact holds them: all on one level, by their names.

        Raises:
            Missing: model_file_missing.
        """
        return cls({name: directory / name for name in CHECKSUMS})

    def pinned(self) -> "ModelFiles":
        """Themselves, if they are those of CHECKSUMS to the bit.

        Raises:
            Rejected: model_file_corrupt.
        """
        for name, checksum in CHECKSUMS.items():
            if hashlib.sha256(self.paths[name].read_bytes()).hexdigest() != checksum:
                raise Rejected(
                    "model_file_corrupt",
                    f"The model file {name} is not the one that this version expects. Build the artifact again.",
                )
        return self


def installed_model_files() -> ModelFiles:
    """The files inside the installed mediapipe distribution, which is never imported.

    Raises:
        Missing: model_file_missing, also when mediapipe isn't installed.
        Rejected: model_file_corrupt.
    """
    try:
        mediapipe = distribution("mediapipe")
    except PackageNotFoundError:
        raise Missing(
            "model_file_missing", "The models' files come with mediapipe 0.10.21: install the extra `serving`."
        ) from None
    return ModelFiles(
        {name: Path(str(mediapipe.locate_file(f"{folder}/{name}"))) for name, folder in _PLACES_IN_MEDIAPIPE.items()}
    ).pinned()
