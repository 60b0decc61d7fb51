import pytest

from mien_core.model.face import FaceReport
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import ModelFiles, installed_model_files
from tests import faces


@pytest.fixture(scope="session")
def model_files() -> ModelFiles:
    return installed_model_files()


@pytest.fixture(scope="session")
def engine(model_files: ModelFiles) -> FaceEngine:
    return FaceEngine(model_files)


@pytest.fixture(scope="session")
def astronaut_report(engine: FaceEngine) -> FaceReport:
    """The report of astronaut_1080p()."""
    outcome = engine.analyse([faces.astronaut_1080p()])[0].outcome
    assert isinstance(outcome, FaceReport)
    return outcome
