from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from mien_core.model.face import FaceReport
from mien_core.model.skin import SkinReport
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.phantom.face_plan import FacePlan, Picture, plan_of
from mien_serving.skin.canvas import Canvas, canvas_of, frame_of
from mien_serving.skin.engine import SkinEngine
from tests import faces


class Looker:
    """Both engines: a photo in, its skin out."""

    def __init__(self) -> None:
        self.faces = FaceEngine(installed_model_files())
        self.skin = SkinEngine()

    def face(self, photo: Picture) -> FaceReport:
        outcome = self.faces.analyse([photo])[0].outcome
        assert isinstance(outcome, FaceReport)
        return outcome

    def __call__(self, photo: Picture) -> SkinReport:
        return self.skin.analyse(photo, self.face(photo))

    def canvas(self, photo: Picture) -> Canvas:
        return canvas_of(photo, frame_of(photo.shape, self.face(photo)), np.ones(3))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session")
def look() -> Looker:
    return Looker()


@pytest.fixture(scope="session")
def base() -> Picture:
    """The astronaut's face, 352 pixels wide, in 860 x 960."""
    return np.ascontiguousarray(faces.astronaut_1080p()[40:1000, 420:1280])


@pytest.fixture(scope="session")
def plan(look: Looker, base: Picture) -> FacePlan:
    return plan_of(base, look.face(base))


@pytest.fixture(scope="session")
def base_report(look: Looker, base: Picture) -> SkinReport:
    return look(base)
