"""Make-up on the astronaut's face: what is put on shows, where it belongs, and nothing else changes."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien_core.errors import Rejected
from mien_core.model.face import FaceReport
from mien_core.model.looks import Category, Finish, Preset
from mien_core.rules.tryon import LOOKS
from mien_serving.face.colour import lab_of_srgb
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.face.topology import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE
from mien_serving.makeup import paint
from mien_serving.makeup.engine import make_up
from mien_serving.makeup.face_part import AREAS, Pixels, face_part_of
from tests import faces

RED = "#B3122B"


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A portrait in which teeth show."""
    return faces.astronaut_portrait()


@pytest.fixture(scope="module")
def engine() -> FaceEngine:
    return FaceEngine(installed_model_files())


def reported(engine: FaceEngine, photo: Pixels) -> FaceReport:
    outcome = engine.analyse([photo])[0].outcome
    assert isinstance(outcome, FaceReport)
    return outcome


@pytest.fixture(scope="module")
def report(engine: FaceEngine, photo: Pixels) -> FaceReport:
    return reported(engine, photo)


def preset(category: Category, color: str = RED, finish: Finish = "matte", intensity: float = 1.0) -> Preset:
    return Preset(category=category, color=color, finish=finish, intensity=intensity)


def whole_mask(photo: Pixels, report: FaceReport, category: Category) -> NDArray[np.float32]:
    """The mask of a category, of the photo's size."""
    part = face_part_of(photo, report)
    mask = np.zeros(photo.shape[:2], dtype=np.float32)
    mask[part.rows, part.columns] = part.mask(category)
    return mask


def inside(photo: Pixels, report: FaceReport, outline: Sequence[int]) -> NDArray[np.bool_]:
    """The pixels within an outline of the mesh."""
    height, width = photo.shape[:2]
    corners = [(report.face.landmarks[i].x * width, report.face.landmarks[i].y * height) for i in outline]
    drawn = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(drawn, [np.array(corners).astype(np.int32)], 1)
    return drawn > 0


@pytest.mark.parametrize("category", AREAS)
def test_outside_of_the_mask_no_bit_changes(photo: Pixels, report: FaceReport, category: Category) -> None:
    """What is put on changes its own area visibly, and not a single value elsewhere; the photo itself stays."""
    before = photo.copy()
    made_up = make_up(photo, report, [preset(category)])
    mask = whole_mask(photo, report, category)
    changed = (made_up != photo).any(axis=-1)
    assert not changed[mask == 0].any()
    # deep inside it, nearly all of it
    assert changed[mask > 0.5].mean() > 0.95
    assert (photo == before).all()
    assert 0.001 < (mask > 0).mean() < 0.2


@pytest.mark.parametrize("look", LOOKS)
def test_every_named_look_shows_and_leaves_eyes_and_teeth_alone(photo: Pixels, report: FaceReport, look: str) -> None:
    """Each of them changes the face, none of them the eyes or the inside of the mouth."""
    made_up = make_up(photo, report, LOOKS[look])
    changed = (made_up != photo).any(axis=-1)
    assert changed.mean() > 0.005
    for hole in (RIGHT_EYE, LEFT_EYE, LIPS_INNER):
        # less a rim: two ways to draw an outline differ by a pixel
        region = cv2.erode(inside(photo, report, hole).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert region.sum() > 50
        assert not changed[region].any()


def test_lips_get_the_colour_and_keep_their_relief(photo: Pixels, report: FaceReport) -> None:
    """a* and b* become the lipstick's; light and shade stay in their order, around the lipstick's lightness."""
    made_up = make_up(photo, report, [preset("lipstick")])
    core = whole_mask(photo, report, "lipstick") > 0.98
    goal = lab_of_srgb(np.array([[0xB3, 0x12, 0x2B]], dtype=np.uint8))[0]
    before, after = lab_of_srgb(photo[core]), lab_of_srgb(made_up[core])
    assert np.abs(np.median(after[:, 1:], axis=0) - goal[1:]).max() < 3
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.95
    assert abs(np.mean(after[:, 0]) - goal[0]) < 0.35 * abs(np.mean(before[:, 0]) - goal[0]) + 2
    assert np.std(after[:, 0]) > 0.4 * np.std(before[:, 0])


def test_gloss_shines_and_matte_does_not(photo: Pixels, report: FaceReport) -> None:
    """The brightest of the lips are brighter under gloss, by more than their middle is."""
    core = whole_mask(photo, report, "lipstick") > 0.98
    matte, gloss = (
        lab_of_srgb(make_up(photo, report, [preset("lipstick", finish=finish)])[core])[:, 0]
        for finish in ("matte", "gloss")
    )
    brightest = float(np.quantile(gloss, 0.98) - np.quantile(matte, 0.98))
    assert brightest > float(np.median(gloss) - np.median(matte)) + 5


def test_more_is_more_and_none_is_nothing(photo: Pixels, report: FaceReport) -> None:
    """Intensity 0 gives the photo back to the bit; each larger one is further away from it."""
    distances = [
        float(np.abs(make_up(photo, report, [preset("blush", intensity=part)]).astype(int) - photo).sum())
        for part in (0.0, 0.3, 0.6, 1.0)
    ]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 0


def test_eyeshadow_takes_light_and_never_gives_any(photo: Pixels, report: FaceReport) -> None:
    """It is multiplied: no channel of any pixel gets brighter."""
    assert (make_up(photo, report, [preset("eyeshadow", "#8C6A5D")]) <= photo).all()


def test_the_last_of_a_category_counts_and_what_is_not_known_is_left_out(photo: Pixels, report: FaceReport) -> None:
    """A saved look may have parts for which there is no way to render them (yet): the others are."""
    alone = make_up(photo, report, [preset("lipstick", "#7A2048")])
    among = make_up(photo, report, [preset("lipstick"), preset("foundation"), preset("lipstick", "#7A2048")])
    assert (alone == among).all()


@pytest.mark.parametrize("presets", [[], [preset("foundation"), preset("brows")]])
def test_a_look_of_which_nothing_can_be_rendered_is_refused(
    photo: Pixels, report: FaceReport, presets: list[Preset]
) -> None:
    """Nobody gets their own photo back as if something were on it; what can be rendered is named."""
    with pytest.raises(Rejected, match="look_not_supported") as caught:
        make_up(photo, report, presets)
    assert "lipstick" in caught.value.detail


def test_a_face_at_the_edge_is_made_up_as_far_as_it_is_there(photo: Pixels, report: FaceReport) -> None:
    """Where the photo ends, so does the make-up: the same as on the whole, as far as the edge's fading reaches."""
    height, width = photo.shape[:2]
    cut = round(report.face.landmarks[LIPS_OUTER[0]].x * width) + 20
    left = np.ascontiguousarray(photo[:, cut:])
    moved = report.model_copy(
        update={
            "face": report.face.model_copy(
                update={
                    "landmarks": tuple(
                        one.model_copy(update={"x": (one.x * width - cut) / (width - cut)})
                        for one in report.face.landmarks
                    )
                }
            )
        }
    )
    made_up = make_up(left, moved, [preset("lipstick")])
    assert made_up.shape == (height, width - cut, 3)
    assert (made_up != left).any()
    away = moved.model_copy(
        update={
            "face": moved.face.model_copy(
                update={"landmarks": tuple(one.model_copy(update={"x": one.x - 9}) for one in moved.face.landmarks)}
            )
        }
    )
    assert (make_up(left, away, [preset("lipstick")]) == left).all()


def test_a_smaller_copy_is_made_up_in_the_same_places(photo: Pixels, report: FaceReport) -> None:
    """The report's lengths are relative: half the size gives half the picture."""
    height, width = photo.shape[:2]
    half = faces.resized(photo, width // 2, height // 2)
    made_up = make_up(half, report, LOOKS["classic-red"])
    shrunk = faces.resized(make_up(photo, report, LOOKS["classic-red"]), width // 2, height // 2)
    assert np.abs(made_up.astype(int) - shrunk).mean() < 0.5


def test_soft_light_is_the_published_one() -> None:
    """Grey changes nothing, white lightens and black darkens as W3C's formula says, on both of its branches."""
    base = np.array([[[0.2, 0.25, 0.8]]], dtype=np.float32)

    def blended(source: float) -> list[float]:
        return [float(one) for one in paint._soft_light(base, np.full(3, source, np.float32))[0, 0]]

    assert blended(0.5) == pytest.approx([0.2, 0.25, 0.8], abs=1e-6)
    # B - B(1 - B) = B^2
    assert blended(0.0) == pytest.approx([0.04, 0.0625, 0.64], abs=1e-6)
    # D(B): ((16 B - 12) B + 4) B up to a quarter, then the root
    assert blended(1.0) == pytest.approx([0.448, 0.5, 0.8**0.5], abs=1e-6)


@pytest.mark.parametrize("degrees", [-25.0, 20.0])
def test_a_tilted_head_is_made_up_on_its_lips(engine: FaceEngine, photo: Pixels, degrees: float) -> None:
    """The mesh says where lips are, however the head is held."""
    tilted = faces.rotated(photo, degrees)
    report = reported(engine, tilted)
    changed = (make_up(tilted, report, [preset("lipstick")]) != tilted).any(axis=-1)
    lips = inside(tilted, report, LIPS_OUTER) & ~inside(tilted, report, LIPS_INNER)
    assert changed[lips].mean() > 0.9
    near = cv2.dilate(inside(tilted, report, LIPS_OUTER).astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    assert not changed[~near].any()
