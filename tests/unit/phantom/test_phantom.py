"""The painters keep to their word: what they say they painted is there, and nothing else is."""

import numpy as np
import pytest

from mien_core.model.face import FaceReport
from mien_core.model.skin import Condition
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.phantom import light, pigments, reliefs, tones
from mien_serving.phantom.catalogue import CONDITIONS, Painter
from mien_serving.phantom.face_plan import FacePlan, Picture, plan_of
from mien_serving.phantom.rendered import rendered
from tests import faces

PAINTERS: dict[str, Painter] = {
    **{str(condition): painter for condition, painter in CONDITIONS.items()},
    "dark_circles": pigments.dark_circles,
    "shine": reliefs.shine,
}


@pytest.fixture(scope="module")
def photo() -> Picture:
    return np.ascontiguousarray(faces.astronaut_1080p()[40:1000, 420:1280])


@pytest.fixture(scope="module")
def plan(photo: Picture) -> FacePlan:
    outcome = FaceEngine(installed_model_files()).analyse([photo])[0].outcome
    assert isinstance(outcome, FaceReport)
    return plan_of(photo, outcome)


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_a_painter_paints_the_same_twice_and_keeps_its_input(name: str, photo: Picture, plan: FacePlan) -> None:
    """The seed decides all; the photo is not written to; the background stays as it is, to the bit."""
    before = photo.copy()
    one, other = (PAINTERS[name](photo, plan, 0.6, 7) for _ in range(2))
    assert (one.picture == other.picture).all()
    assert one.marks == other.marks
    assert (photo == before).all()
    assert (one.picture[:40, :40] == photo[:40, :40]).all()
    assert (one.picture != photo).any()


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_more_strength_is_more_of_it(name: str, photo: Picture, plan: FacePlan) -> None:
    """Neither the truth nor the distance from the picture without any falls with the strength."""
    without, *painted = (PAINTERS[name](photo, plan, strength, 3) for strength in (0.0, 0.2, 0.6, 1.0))
    truths = [one.truth for one in painted]
    changes = [float(np.abs(one.picture.astype(float) - without.picture).mean()) for one in painted]
    assert truths == sorted(truths)
    assert changes == sorted(changes)


@pytest.mark.parametrize("condition", ["acne", "hyperpigmentation"])
def test_marks_lie_where_the_picture_changed(condition: Condition, photo: Picture, plan: FacePlan) -> None:
    """Each mark's middle is darker in green than it was, and the number of marks is the truth."""
    painted = CONDITIONS[condition](photo, plan, 0.8, 5)
    assert len(painted.marks) == painted.truth > 5
    for mark in painted.marks:
        x, y = round(mark.x), round(mark.y)
        assert int(painted.picture[y, x, 1]) < int(photo[y, x, 1]) - 5


@pytest.mark.parametrize("tone", range(1, 11))
def test_a_face_in_a_tone_has_that_tones_colour(tone: int, photo: Picture, plan: FacePlan) -> None:
    """The cheeks' median has the tone's proportions of light; it is less bright where the tone would burn out."""
    painted = tones.in_tone(photo, plan, tone)
    cheeks = np.maximum(plan.polygon(plan.open_skin[0]), plan.polygon(plan.open_skin[1])) > 0
    found = np.median(light.to_light(painted)[cheeks], axis=0)
    wanted = light.to_light(np.array([list(bytes.fromhex(tones.MONK[tone - 1]))], dtype=np.uint8))[0]
    # Eight bits of a very dark tone are steps of several per cent.
    assert found / found.sum() == pytest.approx(wanted / wanted.sum(), rel=0.05)
    assert found.sum() <= wanted.sum() * 1.05
    assert (painted[:40, :40] == photo[:40, :40]).all()


@pytest.mark.parametrize("tone", [1, 5, 10])
def test_rendered_skin_has_the_tones_colour_and_nothing_of_the_face(tone: int, photo: Picture, plan: FacePlan) -> None:
    """Its albedo's proportions to 8 %, lit from above left, the same twice; two photos' skins become the same."""
    picture = rendered(photo, plan, tone, 3)
    cheeks = np.maximum(plan.polygon(plan.open_skin[0]), plan.polygon(plan.open_skin[1])) > 0
    found = np.median(light.to_light(picture)[cheeks], axis=0)
    wanted = light.to_light(np.array([list(bytes.fromhex(tones.MONK[tone - 1]))], dtype=np.uint8))[0]
    assert found / found.sum() == pytest.approx(wanted / wanted.sum(), rel=0.08)
    right, left = (np.median(picture[plan.polygon(plan.open_skin[side]) > 0]) for side in (0, 1))
    assert right > left
    assert (picture == rendered(photo, plan, tone, 3)).all()
    core = cheeks & (plan.skin == 1)
    assert (rendered(tones.in_tone(photo, plan, 8), plan, tone, 3)[core] == picture[core]).all()
    assert (picture[:40, :40] == photo[:40, :40]).all()


def test_light_and_back_is_lossless() -> None:
    """Every sRGB value survives."""
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert (light.to_photo(light.to_light(values)) == values).all()


def test_a_stop_is_a_factor_of_two_and_a_cast_a_factor_a_channel() -> None:
    """Exposure and lamp act on light, not on encoded values."""
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    start = light.to_light(grey)[0, 0]
    assert light.to_light(light.exposed(grey, 1))[0, 0] == pytest.approx(2 * start, rel=0.02)
    assert light.to_light(light.cast(grey, (0.5, 1, 2)))[0, 0] == pytest.approx(start * (0.5, 1, 2), rel=0.03)


def test_noise_has_the_strength_it_was_given() -> None:
    """Its variance is strength squared times the light (plus a floor); focus takes detail away."""
    grey = np.full((200, 200, 3), 150, dtype=np.uint8)
    level = float(light.to_light(grey)[0, 0, 0])
    noisy = light.to_light(light.noisy(grey, 0.05, 1))
    assert float(noisy.std()) == pytest.approx(0.05 * np.sqrt(level + 0.01), rel=0.05)
    assert light.blurred(light.noisy(grey, 0.05, 1), 3).std() < light.noisy(grey, 0.05, 1).std() / 3
