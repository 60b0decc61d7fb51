from dataclasses import replace

import pytest

from mien_core.model.skin import MEASURES, Abstention
from mien_local.analysed import Analysed
from mien_local.library import Library
from mien_serving.skin.probability import SOURCES
from tests import faces


@pytest.fixture(scope="session")
def library() -> Library:
    return Library()


@pytest.fixture(scope="session")
def astronaut(library: Library) -> Analysed:
    return library.analyse("astronaut.jpg", faces.jpeg_bytes(faces.astronaut_1080p()))


@pytest.fixture(scope="session")
def unseen(astronaut: Analysed) -> Analysed:
    """The same photo, as if it showed nothing of the skin."""
    condition_of = {measure: condition for condition, measure in SOURCES.items()}
    left_out = tuple(
        Abstention(measure=name, condition=condition_of.get(name), reason="light", advice="Add light.")
        for name in MEASURES
    )
    nothing = {"measures": (), "probabilities": (), "abstained": left_out, "skin_type": None}
    return replace(astronaut, name="night.jpg", skin=astronaut.skin.model_copy(update=nothing))
