"""Indices into the 468 points of the mesh. "Right" is the person's right, on the image's left."""

from typing import Final

FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
RIGHT_EYE: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW: Final = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
LEFT_BROW: Final = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
LIPS_OUTER: Final = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
LIPS_INNER: Final = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip

RIGHT_CHEEK: Final = (50, 101, 118, 117, 123, 147, 187, 205)
LEFT_CHEEK: Final = (280, 330, 347, 346, 352, 376, 411, 425)
# Between the brows and the row of points below the hairline, so that hair and brows stay outside.
FOREHEAD: Final = (104, 69, 108, 151, 337, 299, 333, 334, 296, 336, 9, 107, 66, 105)

FOREHEAD_TOP: Final = 10
CHIN: Final = 152

# (right, left) pairs of points that mirror each other in the mesh's plan. The oval and the lips run round the face
# and meet their mirror images from the other end; the lists of eyes and brows are each other's mirror already.
MIRROR_PAIRS: Final = (
    *((FACE_OVAL[-index], FACE_OVAL[index]) for index in range(1, len(FACE_OVAL) // 2)),
    *zip(RIGHT_EYE, LEFT_EYE, strict=True),
    *zip(RIGHT_BROW, LEFT_BROW, strict=True),
)
