"""Report pages of a real face and of five phantoms painted on it: `python -m bench.phantom_report FOLDER`.

On each phantom's page the painted truth stands beside what the engine measured. To look at, not to pass: the figures
with limits are bench_skin's.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien_core.model.skin import MeasureName
from mien_local.analysed import Analysed
from mien_local.library import Library
from mien_local.page.content import number
from mien_local.page.folder import Exhibit, ReportFolder
from mien_serving.phantom import pigments, reliefs
from mien_serving.phantom.catalogue import Painter
from mien_serving.phantom.face_plan import Picture, plan_of
from mien_serving.phantom.painted import Painted
from mien_serving.skin.overlay import evidence_drawn
from tests import faces

STRENGTH: Final = 0.8
SEED: Final = 1
# sRGB; nothing on a face has this colour.
PAINT: Final = (255, 60, 210)
# Levels of 255 by which paint must differ from the face to be shown fully.
PLAIN: Final = 30.0


@dataclass(frozen=True)
class Subject:
    """What is painted: the page's name, by which painter, the measure that should see it, and what truth counts."""

    name: str
    painter: Painter
    measure: MeasureName
    truth: str


SUBJECTS: Final = (
    Subject("phantom, spots", pigments.spots, "spots", "{:.0f} brown spots"),
    Subject("phantom, acne", pigments.acne, "acne", "{:.0f} pimples"),
    Subject("phantom, wrinkles", reliefs.wrinkles, "wrinkles", "{:.0f} mm of folds"),
    Subject("phantom, dark circles", pigments.dark_circles, "dark_circles", "circles {:.1f} away in CIELAB"),
    Subject("phantom, redness", pigments.redness, "redness", "blood of an optical density of {:.2f} in green light"),
)


def run(folder: Path) -> Path:
    """Write all pages; the value is the page to open first.

    Raises:
        MienError: the models' files are missing, or the folder can't be written.
    """
    pages = ReportFolder(folder, alone=False, title="A real face, and five phantoms painted on it")
    library = Library()
    clean = library.analyse("real face", png_of(np.ascontiguousarray(faces.astronaut_1080p()[40:1000, 420:1280])))
    pages.add(clean)
    plan = plan_of(clean.photo.pixels, clean.face)
    for subject in SUBJECTS:
        painted = subject.painter(clean.photo.pixels, plan, STRENGTH, SEED)
        analysed = library.analyse(subject.name, png_of(painted.picture))
        pages.add(analysed, exhibits(subject, clean, painted, analysed))
    return pages.finish()


def exhibits(subject: Subject, clean: Analysed, painted: Painted, analysed: Analysed) -> tuple[Exhibit, ...]:
    """The face before, what was painted, and what the engine says of it."""
    before, after = (measured(one, subject.measure) for one in (clean, analysed))
    outlined = evidence_drawn(analysed.photo.pixels, analysed.skin, subject.measure)
    return (
        Exhibit(f"Before. The engine measures {before}.", clean.photo.pixels),
        Exhibit(f"Painted: {subject.truth.format(painted.truth)}.", paint_shown(clean.photo.pixels, painted)),
        Exhibit(f"After. The engine measures {after}.", outlined),
    )


def measured(analysed: Analysed, name: MeasureName) -> str:
    """A measure's value in words."""
    measure = analysed.skin.measure(name)
    if measure is None:
        return "nothing, and says why"
    outlined = f" and outlines {len(measure.evidence)}" if measure.evidence else ""
    return f"{number(measure.value)} {measure.unit.replace('cm2', 'cm²')}{outlined}"


def paint_shown(clean: Picture, painted: Painted) -> Picture:
    """The clean photo (H x W x 3, 0-255, sRGB) in grey, with the paint alone in colour and painted marks circled."""
    difference = np.abs(painted.picture.astype(np.float32) - clean).max(axis=2)
    cover: NDArray[np.float32] = np.clip(difference / PLAIN, 0, 1)[..., None]
    grey = np.repeat(cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) * 0.6
    shown = np.round(grey * (1 - cover) + np.array(PAINT, dtype=np.float32) * cover).astype(np.uint8)
    for mark in painted.marks:
        cv2.circle(shown, (round(mark.x), round(mark.y)), round(2 * mark.radius), (255, 255, 255), 1, cv2.LINE_AA)
    return shown


def png_of(picture: Picture) -> bytes:
    """The picture as a file that loses nothing."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.phantom_report", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    print(f"report page: {run(parser.parse_args(arguments).folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
