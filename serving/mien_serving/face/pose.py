"""The head's rotation from its mesh, without a reference head.

A head is its own mirror image, so every line from a point on its right to the mirrored point on its left runs along
the head's lateral axis, whatever the person looks like: the sum of these lines over the pairs of the oval, eyes and
brows is that axis. The line from the top of the forehead to the chin, made perpendicular to it, is the vertical axis.
With x to the right, y down and z away from the camera, the head's rotation is R = Rz(roll) Ry(yaw) Rx(pitch), so that
turning the photo changes the roll alone and mirroring it negates yaw and roll and keeps the pitch:

    lateral axis a = R (1, 0, 0):  roll = atan2(a_y, a_x),  yaw = asin(a_z)
    vertical axis b = R (0, 1, 0): pitch = atan2(-b'_z, b'_y) with b' = Ry(-yaw) Rz(-roll) b
"""

import numpy as np
from numpy.typing import NDArray

from mien_core.model.face import Pose
from mien_serving.face.topology import CHIN, FOREHEAD_TOP, MIRROR_PAIRS

_RIGHT = np.array([right for right, _ in MIRROR_PAIRS])
_LEFT = np.array([left for _, left in MIRROR_PAIRS])


def pose_of(points: NDArray[np.float64]) -> Pose:
    """The rotation in degrees, rounded to 2 decimals; see Pose for the signs.

    Args:
        points: 468 x 3 with x, y and z in the same unit (pixels), z smaller is nearer.
    """
    lateral = (points[_LEFT] - points[_RIGHT]).sum(axis=0)
    lateral /= np.linalg.norm(lateral)
    roll = np.arctan2(lateral[1], lateral[0])
    yaw = np.arcsin(np.clip(lateral[2], -1, 1))

    down = points[CHIN] - points[FOREHEAD_TOP]
    down = down - (down @ lateral) * lateral
    upright_y = -np.sin(roll) * down[0] + np.cos(roll) * down[1]
    upright_x = np.cos(roll) * down[0] + np.sin(roll) * down[1]
    facing_z = -np.sin(yaw) * upright_x + np.cos(yaw) * down[2]
    pitch = np.arctan2(-facing_z, upright_y)
    return Pose(
        yaw=round(float(np.degrees(yaw)), 2),
        pitch=round(float(np.degrees(pitch)), 2),
        roll=round(float(np.degrees(roll)), 2),
    )
