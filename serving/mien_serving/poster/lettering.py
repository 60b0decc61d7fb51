"""Words on a picture: broken into lines, fitted into boxes, drawn in OpenCV's own variable typeface (Rubik)."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# Words are measured at this size; widths grow with it.
_REFERENCE: Final = 100
# The first of the scripts that are written without spaces.
_CJK: Final = "\u2e80"
_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class Face:
    """A typeface at a weight: 300 is light, 900 is black."""

    weight: int
    slanted: bool = False

    def width(self, text: str, size: float) -> float:
        """How wide a line is at a size, in pixels."""
        _, _, width, _ = cv2.getTextSize((1, 1), _visual(text), (0, 0), self._font(), _REFERENCE, self.weight)
        return width * size / _REFERENCE

    def draw(self, mask: Pixels, text: str, left: float, baseline: float, size: float) -> None:
        """Draw a line in white onto a mask (H x W, 0-255)."""
        place = round(left), round(baseline)
        cv2.putText(mask, _visual(text), place, (255,), self._font(), round(size), self.weight)

    def _font(self) -> cv2.FontFace:
        return cv2.FontFace("italic" if self.slanted else "sans")


# By size: how high Rubik's capitals are, how far apart lines of them stand, and how far where some have accents.
_CAPITALS: Final = 0.70
_LEADING: Final = 0.98
_ACCENTED_LEADING: Final = 1.22


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one size, in pixels; leading is from one baseline to the next."""

    lines: tuple[str, ...]
    size: float
    leading: float

    @property
    def height(self) -> float:
        """From the top of the first line's capitals to the last baseline, in pixels."""
        return self.size * _CAPITALS + self.leading * (len(self.lines) - 1)


def fitted(text: str, face: Face, width: float, height: float, most_lines: int) -> Block:
    """Break a title so that it is as large as it can be within a box, however long its words are."""
    pieces, glue = _pieces(text)
    leading = _LEADING if text.isascii() else _ACCENTED_LEADING
    best = Block((), 0.0, 0.0)
    for count in range(1, most_lines + 1):
        lines = _balanced(pieces, glue, face, count)
        widest = max(face.width(line, 1.0) for line in lines)
        size = min(width / max(widest, 1e-6), height / (_CAPITALS + leading * (len(lines) - 1)))
        if size > best.size:
            best = Block(tuple(lines), size, size * leading)
    return best


def flowed(text: str, face: Face, width: float, size: float, most_lines: int) -> Block:
    """Break a text of a given size; what doesn't fit into so many lines is left out, and an ellipsis says so."""
    pieces, glue = _pieces(text)
    lines = _greedy(pieces, glue, face, width / size)
    if len(lines) > most_lines:
        last = lines[most_lines - 1]
        while last and face.width(last + _ELLIPSIS, size) > width:
            last = last[:-1]
        lines = [*lines[: most_lines - 1], last.rstrip() + _ELLIPSIS]
    return Block(tuple(lines), size, size * 1.4)


def centred(mask: Pixels, block: Block, face: Face, top: float) -> None:
    """Draw a block's lines one below the other in the middle of a mask, the capitals of the first from top on."""
    baseline = top + block.size * _CAPITALS
    for line in block.lines:
        face.draw(mask, line, (mask.shape[1] - face.width(line, block.size)) / 2, baseline, block.size)
        baseline += block.leading


def _pieces(text: str) -> tuple[list[str], str]:
    """What lines may be made of, and what stands between two of them on a line."""
    words = text.split()
    if any(letter >= _CJK for letter in text):
        return list(" ".join(words)), ""
    return words or [""], " "


def _balanced(pieces: Sequence[str], glue: str, face: Face, most: int) -> list[str]:
    """At most so many lines, the widest of them as narrow as can be."""
    low = max(face.width(piece, 1.0) for piece in pieces)
    high = max(low, face.width(glue.join(pieces), 1.0))
    best = _greedy(pieces, glue, face, high)
    # halved until the difference is less than a letter's
    for _ in range(8):
        middle = (low + high) / 2
        lines = _greedy(pieces, glue, face, middle)
        if len(lines) <= most:
            best, high = lines, middle
        else:
            low = middle
    return best


def _greedy(pieces: Sequence[str], glue: str, face: Face, width: float) -> list[str]:
    """Lines no wider than width at size 1, but for pieces that are wider by themselves."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = lines[-1] + glue + piece
        if face.width(longer, 1.0) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _visual(text: str) -> str:
    """The letters from left to right: OpenCV draws them as they are stored, and Hebrew is read the other way."""
    directions = {unicodedata.bidirectional(letter) for letter in text}
    return text[::-1] if "R" in directions and not directions & {"L", "AL", "EN", "AN"} else text
