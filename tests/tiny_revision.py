"""A face revision that is rolled out as the real one is, and loads no model: it starts in a second and answers at once.

Its artifact is fetched and checked by serving's own code, and says what is wrong with it, as the simulated rollouts do
(tests.simulated_rollouts): that is data, and the code is the same for all. What a photo shows depends on the upload
alone; what a revision says of it is that with noise of its own, the same whenever it is asked.
"""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter
from ray import serve

from mien_core.errors import MienError, Missing, Rejected, Unavailable
from mien_core.model.face import BoundingBox, Face, FaceReport, Landmark, MonkTone, Pose, Quality, Tone
from mien_core.model.serving import FaceAnswer, FaceRequest, PhotoFacts
from mien_core.model.skin import CONDITIONS, Abstention, ConditionProbability, SkinMetrics, SkinReport
from mien_core.rules.serve_config import revision_name
from mien_serving.artifact import fetch, pack
from tests.simulated_rollouts import (
    BY_CALL,
    BY_PHOTO,
    DIFFICULTY,
    ITA_NOISE,
    MESH_NOISE,
    MILLISECONDS,
    POINTS_NOISE,
    POSE_NOISE,
    PREVALENCE,
    UNMEASURED,
    UNMEASURED_ALONE,
    Candidate,
)

CACHE: Final = "MIEN_TESTS_ARTIFACTS"

Floats = NDArray[np.float64]

_CANDIDATE: Final = "candidate.json"
_STUCK: Final = "stuck"
_POINTS: Final = 478
_EYES: Final = {33: (-0.5, 0.0), 133: (-0.5, 0.0), 263: (0.5, 0.0), 362: (0.5, 0.0)}
_MOUTH: Final = slice(440, _POINTS)
_METRICS: Final = tuple(SkinMetrics.model_fields)
# As in the simulated rollouts, with more dark skin: of some hundred photos enough show it.
_TONES: Final = (0.30, 0.30, 0.35, 0.05)
_MONK: Final = ((1, 2, 3), (4, 5, 6), (7, 8, 9, 10))
_SCORED: Final = [f"metrics.{name}" for name in _METRICS] + [f"conditions.{name}" for name in CONDITIONS]
_POSE: Final = ("yaw", "pitch", "roll")
_PIXELS: Final = 640
# of the photo's width
_BETWEEN_THE_EYES: Final = 0.16
_KINDS: Final = TypeAdapter(Candidate)


class Arguments(BaseModel):
    """Those of the real one."""

    artifact_uri: str
    digest: str
    threads: int = 1


def packed(name: str, candidate: Candidate | None = None, *, stuck: bool = False) -> bytes:
    """An artifact.

    Args:
        name: makes it another one.
        candidate: what is wrong with it; nothing if None.
        stuck: whether a replica that loads it never gets ready.
    """
    files = {_CANDIDATE: _KINDS.dump_json(candidate or Candidate())}
    return pack({**files, _STUCK: b"yes"} if stuck else files, name)


class FaceRevision:
    """One replica."""

    def __init__(self, artifact_uri: str, digest: str) -> None:
        folder = fetch(artifact_uri, digest, Path(os.environ[CACHE]), _no_object)
        if (folder / _STUCK).exists():
            threading.Event().wait()
        self._tells = Teller(digest, _KINDS.validate_json((folder / _CANDIDATE).read_bytes()))

    async def ready(self) -> None:
        """As the real one."""

    async def analyse(self, request: FaceRequest) -> bytes | MienError:
        """As the real one."""
        try:
            return self._tells.answer(request.upload_id).model_dump_json().encode()
        except MienError as error:
            return error


class Photo:
    """What a photo shows, whoever looks at it."""

    def __init__(self, upload_id: str) -> None:
        rng = _dice(upload_id)
        group = int(rng.choice(len(_TONES), p=_TONES))
        self.monk = int(rng.choice(_MONK[group])) if group < len(_MONK) else None
        self.difficulty = float(np.exp(rng.normal(0, DIFFICULTY)))
        self.present = rng.random(len(CONDITIONS)) < PREVALENCE
        metrics = 62 + 9 * rng.standard_normal(len(_METRICS))
        conditions = np.where(self.present, 70.0, 22.0) + 12 * rng.standard_normal(len(CONDITIONS))
        self.scores: Floats = np.concatenate([metrics, conditions])
        self.shown = rng.random(len(_SCORED)) > UNMEASURED
        self.pose: Floats = rng.normal(0, (10.0, 6.0, 4.0))
        # in distances between the eyes, which is what revisions are compared by
        self.mesh: Floats = rng.uniform(-0.9, 0.9, (_POINTS, 2))
        for point, place in _EYES.items():
            self.mesh[point] = place
        self.passed = bool(rng.random() < 0.8)
        self.log_milliseconds = float(rng.normal(np.log(MILLISECONDS), BY_PHOTO))

    @property
    def dark(self) -> bool:
        """Whether it shows dark skin."""
        return self.monk in _MONK[-1]


class Teller:
    """What a revision says of photos.

    Args:
        digest: which revision it is.
        candidate: what is wrong with it.
    """

    def __init__(self, digest: str, candidate: Candidate) -> None:
        self._revision = revision_name(digest)
        self._digest = digest
        self._wrong = candidate

    def answer(self, upload_id: str) -> FaceAnswer:
        """What it says of this upload.

        Raises:
            Rejected: no_face.
            Unavailable: engine_failed.
        """
        wrong, photo, rng = self._wrong, Photo(upload_id), _dice(f"{self._digest} {upload_id}")
        failed, missed, unsound = rng.random(3) < (
            wrong.errors,
            wrong.faceless + wrong.dark_faceless * photo.dark,
            wrong.unsound,
        )
        if failed:
            raise Unavailable("engine_failed", "The engine failed; try again.")
        if missed:
            raise Rejected("no_face", "There is no face in this photo.")
        pose = self._pose(photo, rng)
        if unsound:
            pose[0] = np.nan
        face = Face(
            bounding_box=BoundingBox(left=0.3, top=0.2, width=0.4, height=0.5),
            confidence=0.97,
            face_count=1,
            landmarks=self._landmarks(photo, rng),
            pose=Pose(**dict(zip(_POSE, pose.tolist(), strict=True))),
            quality=Quality(passed=photo.passed, gates=()),
        )
        return FaceAnswer(
            model_revision=self._revision,
            etag=self._revision,
            report=FaceReport(face=face, tone=self._tone(photo, rng)),
            skin=self._skin(photo, rng),
            annotated_key=f"uploads/{upload_id}/annotated.png",
            mask_keys={},
            photo=PhotoFacts(
                width=_PIXELS, height=_PIXELS, pixel_digest=hashlib.sha256(upload_id.encode()).hexdigest()
            ),
            timings={"detect": self._milliseconds(photo, rng)},
        )

    def _pose(self, photo: Photo, rng: np.random.Generator) -> Floats:
        said: Floats = photo.pose + rng.normal(0, POSE_NOISE * photo.difficulty, 3)
        said += [self._bias(photo, f"pose.{name}") for name in _POSE]
        return said * (-1 if self._wrong.mirrored else 1, 1, 1)

    def _landmarks(self, photo: Photo, rng: np.random.Generator) -> tuple[Landmark, ...]:
        # two revisions' noise together lies MESH_NOISE apart on average: sqrt(pi) standard deviations of one axis
        spread = MESH_NOISE / np.sqrt(np.pi) * photo.difficulty * self._wrong.unsteady
        mesh = photo.mesh + rng.normal(0, spread, photo.mesh.shape)
        mesh[:, 1] += self._wrong.mesh
        mesh[_MOUTH, 1] += self._wrong.part
        if rng.random() < self._wrong.swapped:
            mesh[:, 0] *= -1
        places = (0.5 + mesh * _BETWEEN_THE_EYES).round(5).tolist()
        return tuple(Landmark.model_construct(x=x, y=y, z=0.0) for x, y in places)

    def _tone(self, photo: Photo, rng: np.random.Generator) -> Tone | None:
        if photo.monk is None:
            return None
        ita = 70 - 12 * photo.monk + rng.normal(0, ITA_NOISE * photo.difficulty) + self._bias(photo, "tone.ita")
        return Tone(
            ita=ita, tone_class="intermediate", monk=MonkTone(tone=photo.monk, delta_e=2.0), undertone="neutral"
        )

    def _skin(self, photo: Photo, rng: np.random.Generator) -> SkinReport:
        wrong, spread = self._wrong, POINTS_NOISE * photo.difficulty * self._wrong.noisy
        points = photo.scores + rng.normal(0, spread, len(_SCORED))
        points += [self._bias(photo, name) for name in _SCORED]
        conditions = points[len(_METRICS) :]
        for name in (*wrong.lost, *(wrong.dark_lost if photo.dark else ())):
            conditions[CONDITIONS.index(name)] = min(conditions[CONDITIONS.index(name)], 40)
        for name, share in wrong.invented.items():
            if rng.random() < share and not photo.present[CONDITIONS.index(name)]:
                conditions[CONDITIONS.index(name)] = max(conditions[CONDITIONS.index(name)], 60)
        left_out = [wrong.unmeasured.get(name, 0.0) + UNMEASURED_ALONE for name in _SCORED]
        shown = photo.shown & (rng.random(len(_SCORED)) >= left_out)
        said: list[float | None] = [
            point if seen else None for point, seen in zip(np.clip(points, 0, 100).tolist(), shown, strict=True)
        ]
        metrics: dict[str, Any] = dict(zip(_METRICS, said, strict=False))
        probabilities = dict(zip(CONDITIONS, said[len(_METRICS) :], strict=True))
        return SkinReport(
            regions=(),
            measures=(),
            probabilities=tuple(
                ConditionProbability(condition=name, probability=point / 100)
                for name, point in probabilities.items()
                if point is not None
            ),
            abstained=tuple(
                Abstention(measure="texture", condition=name, reason="light", advice="Go to a window.")
                for name, point in probabilities.items()
                if point is None
            ),
            skin_type=None,
            metrics=SkinMetrics(**metrics),
        )

    def _milliseconds(self, photo: Photo, rng: np.random.Generator) -> float:
        """What it says its work took: nobody waits for that, so that no machine is too slow to tell."""
        times = self._wrong.slower * (3 if rng.random() < self._wrong.stragglers else 1)
        return float(np.exp(photo.log_milliseconds + rng.normal(0, BY_CALL)) * times)

    def _bias(self, photo: Photo, quantity: str) -> float:
        return self._wrong.bias.get(quantity, 0.0) + photo.dark * self._wrong.dark_bias.get(quantity, 0.0)


def face_revision(arguments: Arguments) -> serve.Application:
    """Build it; Serve's configuration names this function in the place of the real one."""
    deployment = serve.deployment(name="FaceRevision")(FaceRevision)
    return deployment.bind(arguments.artifact_uri, arguments.digest)


def _dice(seed: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))


def _no_object(bucket: str, key: str) -> bytes:
    raise Missing("object_not_found", f"There is no {bucket}/{key}.")
