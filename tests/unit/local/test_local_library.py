"""Photos analysed without a platform."""

import json
from pathlib import Path

import pytest

from mien_core.errors import Rejected
from mien_core.model.skin import CONDITIONS, MEASURES
from mien_core.rules.skin import recommended_chapter, skin_score
from mien_local.analysed import Analysed
from mien_local.answered import analysed_of
from mien_local.library import Library
from mien_serving import artifact
from mien_serving.face.model_files import installed_model_files
from tests import faces


def test_the_revision_is_the_one_a_platform_would_answer_with(astronaut: Analysed, tmp_path: Path) -> None:
    """Both run the same files, so both give them the same name."""
    assert astronaut.model_revision == artifact.build(installed_model_files().paths, tmp_path).name


def test_the_answer_speaks_the_apis_words(astronaut: Analysed) -> None:
    """camelCase, all of the contract's fields, score and chapter by core's rules, and JSON through and through."""
    answer = json.loads(json.dumps(astronaut.answer()))
    assert {"status", "modelRevision", "face", "tone", "skin", "notice"} <= answer.keys()
    assert len(answer["face"]["landmarks"]) == 468
    skin = answer["skin"]
    assert sorted([*skin["probabilities"], *skin["abstained"]]) == sorted(CONDITIONS)
    assert skin["skinScore"] == skin_score(skin["probabilities"])
    assert skin["recommendedChapter"] == recommended_chapter(skin["skinType"], skin["probabilities"])
    assert skin["conditions"] == [one for one, probability in skin["probabilities"].items() if probability > 0.5]
    assert {one["name"] for one in skin["measures"]} | {one["measure"] for one in skin["abstentions"]} == set(MEASURES)


def test_a_photo_that_shows_no_skin_has_no_score(unseen: Analysed) -> None:
    """Nothing deducted isn't 100: where nothing is seen, nothing is said."""
    assert unseen.score is None
    assert unseen.chapter is None
    assert unseen.answer()["skin"]["skinScore"] is None


def test_what_is_wrong_with_a_photo_has_the_platforms_code(library: Library) -> None:
    """no_face and the door's codes, as from the API."""
    with pytest.raises(Rejected, match="no_face"):
        library.analyse("coffee.jpg", faces.jpeg_bytes(faces.no_face()))
    with pytest.raises(Rejected, match="not_an_image"):
        library.analyse("text.jpg", b"no photo")


def test_a_platforms_answer_gives_the_same_page_as_the_library(astronaut: Analysed) -> None:
    """From the answer's face and the photo that was sent, the skin measured again is the skin measured first."""
    content = faces.jpeg_bytes(faces.astronaut_1080p())
    answer = json.loads(json.dumps(astronaut.answer()))
    again = analysed_of("astronaut", content, answer, {"outbox": 1.0, "serving": 9.0, "serving.mesh": 6.0}, None)
    assert again.face == astronaut.face
    assert again.skin == astronaut.skin
    assert again.annotated == astronaut.annotated
    assert again.model_revision == astronaut.model_revision
    assert again.total_milliseconds == 10.0


def test_the_time_of_all_steps_adds_up(astronaut: Analysed) -> None:
    """Each step of an analysis is named with its time."""
    assert set(astronaut.milliseconds) == {"open", "detect", "mesh", "measures", "skin", "annotate"}
    assert astronaut.total_milliseconds == pytest.approx(sum(astronaut.milliseconds.values()))
