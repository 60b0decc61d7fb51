import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien_core.model.face import FaceReport, Pose
from mien_serving.face.engine import FaceEngine
from mien_serving.face.pose import pose_of
from mien_serving.face.topology import CHIN, FOREHEAD_TOP, MIRROR_PAIRS
from tests import faces


def head() -> NDArray[np.float64]:
    """468 points of a head that looks straight ahead: every pair its own mirror image, chin below forehead."""
    points = np.random.default_rng(7).normal(0, 50, (468, 3))
    for right, left in MIRROR_PAIRS:
        points[right, 0] = -abs(points[right, 0]) - 1
        points[left] = points[right] * [-1, 1, 1]
    points[FOREHEAD_TOP] = (0, -90, 10)
    points[CHIN] = (0, 90, 10)
    return points


def turned(points: NDArray[np.float64], yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """The head turned by degrees, built from its parts: first up or down, then to a side, then in the image."""
    a, b, c = np.radians([yaw, pitch, roll])
    # Looking up brings the chin nearer (z smaller); turning to its left takes its left side away (z larger).
    up = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    side = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    image = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(points @ (image @ side @ up).T, dtype=np.float64)


def report_of(engine: FaceEngine, picture: NDArray[np.uint8]) -> FaceReport:
    outcome = engine.analyse([picture])[0].outcome
    assert isinstance(outcome, FaceReport)
    return outcome


@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(-170, 170))
def test_a_turned_head_gives_back_its_angles(yaw: float, pitch: float, roll: float) -> None:
    """For any symmetric head the three angles come back exactly, with the signs that Pose promises."""
    pose = pose_of(turned(head(), yaw, pitch, roll) + 300)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=0.006)


def test_signs_are_those_of_pose() -> None:
    """Left side farther away: yaw > 0. Chin nearer: pitch > 0. Left eye lower in the image: roll > 0."""
    farther, nearer, lower = head(), head(), head()
    for _, left in MIRROR_PAIRS:
        farther[left, 2] += 20
        lower[left, 1] += 20
    nearer[CHIN, 2] -= 30
    assert pose_of(farther).yaw > 5
    assert pose_of(nearer).pitch > 5
    assert pose_of(lower).roll > 5


def test_mirroring_the_photo_negates_yaw_and_roll_and_keeps_pitch(
    engine: FaceEngine, astronaut_report: FaceReport
) -> None:
    """On a real photo, within the models' own repeatability."""
    pose = astronaut_report.face.pose
    mirrored = report_of(engine, faces.mirrored(faces.astronaut_1080p())).face.pose
    assert (mirrored.yaw, mirrored.pitch, mirrored.roll) == pytest.approx((-pose.yaw, pose.pitch, -pose.roll), abs=2)


@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_turning_the_photo_turns_the_roll_alone(
    degrees: float, engine: FaceEngine, astronaut_report: FaceReport
) -> None:
    """Clockwise is positive; yaw and pitch stay, within the models' own repeatability."""
    pose = astronaut_report.face.pose
    rotated = report_of(engine, faces.rotated(faces.astronaut_1080p(), degrees)).face.pose
    assert rotated.roll - pose.roll == pytest.approx(degrees, abs=1.5)
    assert (rotated.yaw, rotated.pitch) == pytest.approx((pose.yaw, pose.pitch), abs=2.5)


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_face_drawn_turned_is_measured_as_turned(
    degrees: float, engine: FaceEngine, astronaut_report: FaceReport
) -> None:
    """The photo's face, drawn again on its own mesh turned to a side, has a yaw of that sign.

    Of that size it is not, because hair, ears and shoulders stay where they were and the mesh model believes them too.
    """
    photo = faces.astronaut_1080p()
    size = np.array([1920, 1080, 1920])
    points = np.array([[one.x, one.y, one.z] for one in astronaut_report.face.landmarks]) * size
    drawn = report_of(engine, redrawn(photo, points, degrees)).face.pose
    change = drawn.yaw - astronaut_report.face.pose.yaw
    assert 5 < change * np.sign(degrees) < 25


def redrawn(photo: NDArray[np.uint8], points: NDArray[np.float64], yaw: float) -> NDArray[np.uint8]:
    """The photo with the face's triangles moved to where they lie after the head has turned."""
    centre = points.mean(axis=0)
    moved = turned(points - centre, yaw, 0, 0) + centre
    plan = cv2.Subdiv2D((0, 0, photo.shape[1], photo.shape[0]))
    index = {}
    for number, (x, y) in enumerate(points[:, :2].astype(np.float32)):
        plan.insert((float(x), float(y)))
        index[(float(x), float(y))] = number
    found = np.asarray(plan.getTriangleList()).reshape(-1, 3, 2).tolist()
    # The plan's own corners, far outside, belong to no point.
    whole = [[index[(x, y)] for x, y in corners] for corners in found if all((x, y) in index for x, y in corners)]
    result = photo.copy()
    # Far triangles first, so that near ones cover them.
    for triangle in sorted(whole, key=lambda each: -float(moved[each, 2].mean())):
        source, target = points[triangle, :2].astype(np.float32), moved[triangle, :2].astype(np.float32)
        warp = cv2.getAffineTransform(source, target)
        left, top = np.floor(target.min(axis=0)).astype(int) - 1
        right, bottom = np.ceil(target.max(axis=0)).astype(int) + 2
        warp[:, 2] -= (left, top)
        patch = cv2.warpAffine(photo, warp, (int(right - left), int(bottom - top)), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round(target - (left, top)).astype(np.int32), 1)
        result[top:bottom, left:right][mask > 0] = patch[mask > 0]
    return result


def test_pose_is_rounded() -> None:
    """Two decimals, and a straight look is 0, 0, 0."""
    assert pose_of(head()) == Pose(yaw=0, pitch=0, roll=0)
