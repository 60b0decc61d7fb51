"""The face mesh laid flat: where each of its points lies in a picture of make-up, its UV space.

The average face is the one that the mesh model answers with when its picture shows nothing. Made its own mirror image,
as faces are, it is rolled off a cylinder around the head's vertical axis, so that the cheeks keep their width:

    u = 0.5 + atan2(x, d) (1 - 2 m) / pi       x from the middle of the face, d in front of its deepest point
    v = m + (y - top) (1 - 2 m) / (bottom - top)

u runs to the right and v down, both from 0 to 1, within a margin m; the person's right is on the left, as in a photo.
The result is face_uv.json, which frontends use as it is: uv has the 468 points, triangles the mesh between them.
bench/face_uv.py has made it.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

MARGIN: Final = 0.02
DECIMALS: Final = 4


@cache
def face_uv() -> NDArray[np.float64]:
    """The mesh's points in UV space, 468 x 2, 0-1. The array is shared and can't be written to."""
    uv = np.array(json.loads((files("mien_serving.makeup") / "face_uv.json").read_text())["uv"], dtype=np.float64)
    uv.setflags(write=False)
    return uv
