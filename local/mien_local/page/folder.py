"""Writes report pages into a folder: a page a photo, and a list of them where there are several."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from mien_core.errors import MienError, Rejected
from mien_core.model.face import NOTICE
from mien_local import words
from mien_local.analysed import Analysed
from mien_local.page.content import condition_rows, focus, gate_rows, measure_card, number, time_rows, tone_scale
from mien_local.page.pictures import Outline, Pixels, face_window, jpeg, skin_colour
from mien_serving.skin.masks import masks

INDEX: Final = "index.html"
_PHOTO_SIDE: Final = 1600
_FACE_SIDE: Final = 900
_THUMBNAIL_SIDE: Final = 640
_MOST_OF_A_NAME: Final = 80


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A further picture for a photo's page: of the photo's size (H x W x 3, 0-255, sRGB), with a sentence about it."""

    caption: str
    picture: Pixels


@dataclass(frozen=True)
class _Entry:
    """A photo in the list: its page and thumbnail, or why there is none."""

    name: str
    page: str | None = None
    thumbnail: str | None = None
    analysed: Analysed | None = None
    focus: str = ""
    error: MienError | None = None


@dataclass
class ReportFolder:
    """Report pages in the making.

    Args:
        path: the folder; made if it isn't there, and what else lies in it stays.
        alone: whether only one photo comes, so that its page is the folder's index.html itself.
        title: over the list.

    Raises:
        Rejected: folder_not_writable, here and from each method.
    """

    path: Path
    alone: bool
    title: str = "Face and skin reports"
    _entries: list[_Entry] = field(default_factory=list, init=False)
    _taken: set[str] = field(default_factory=lambda: {"index"}, init=False)

    def __post_init__(self) -> None:
        # Now, so that nobody learns of a wrong folder when all photos are analysed.
        self._write({})

    def add(self, analysed: Analysed, exhibits: Sequence[Exhibit] = ()) -> Path:
        """Write a photo's page and its pictures; the value is the page's path."""
        slug = self._slug(analysed.name)
        page = INDEX if self.alone else f"{slug}.html"
        files, context = _contents(analysed, exhibits, slug)
        self._write({**files, page: _rendered("photo.html.jinja", {**context, "list_page": not self.alone})})
        self._entries.append(_Entry(analysed.name, page, f"{slug}/thumbnail.jpg", analysed, focus(analysed)))
        return self.path / page

    def add_failure(self, name: str, error: MienError) -> None:
        """Say in the list why a photo has no page."""
        self._entries.append(_Entry(name, error=error))

    def finish(self) -> Path:
        """Write the list, where one is needed; the value is the page to open first."""
        if not (self.alone and self._entries and self._entries[0].page):
            context = {"title": self.title, "entries": self._entries, "words": words, "notice": NOTICE}
            self._write({INDEX: _rendered("list.html.jinja", context)})
        return self.path / INDEX

    def _slug(self, name: str) -> str:
        """A name for files that no other photo has; names from outside never become paths."""
        plain = unicodedata.normalize("NFKD", PurePath(name).stem).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:_MOST_OF_A_NAME] or "photo"
        slug, count = stem, 1
        # On some file systems A and a are the same.
        while slug.lower() in self._taken:
            count += 1
            slug = f"{stem}-{count}"
        self._taken.add(slug.lower())
        return slug

    def _write(self, files: dict[str, bytes]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        except OSError as error:
            raise Rejected(
                "folder_not_writable", f"{self.path} can't be written: {error.strerror}. Name another folder."
            ) from error


def _contents(analysed: Analysed, exhibits: Sequence[Exhibit], slug: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """A page's pictures by path, and what its template needs."""
    pixels, skin, face = analysed.photo.pixels, analysed.skin, analysed.face
    window = face_window(pixels, skin)
    landmarks = [(one.x, one.y, one.z) for one in face.face.landmarks]
    white = masks(skin, analysed.photo.width, analysed.photo.height)
    pictured = {f"{slug}/mask-{one.name}.png": white[one.name] for one in skin.measures if one.evidence}
    files = {
        f"{slug}/photo.jpg": jpeg(pixels, _PHOTO_SIDE),
        f"{slug}/thumbnail.jpg": jpeg(pixels, _THUMBNAIL_SIDE),
        f"{slug}/face.jpg": jpeg(window.cut(pixels), _FACE_SIDE),
        f"{slug}/annotated.png": analysed.annotated,
        **pictured,
        **{
            f"{slug}/exhibit-{index}.jpg": jpeg(window.cut(one.picture), _FACE_SIDE)
            for index, one in enumerate(exhibits)
        },
    }
    conditions = condition_rows(analysed)
    context = {
        "analysed": analysed,
        "slug": slug,
        "words": words,
        "number": number,
        "notice": NOTICE,
        "window": window,
        "focus": focus(analysed),
        "gates": gate_rows(face.face.quality.gates),
        "tone_scale": None if face.tone is None else tone_scale(face.tone, skin_colour(pixels, landmarks)),
        "conditions": conditions,
        "seen": [row.label for row in conditions if row.present],
        "regions": [Outline(window.corners(one.polygon), words.readable(one.name)) for one in skin.regions],
        "measures": [measure_card(one, window) for one in skin.measures],
        "abstained": skin.abstained,
        "metrics": dict(skin.metrics),
        "times": time_rows(analysed.milliseconds),
        "exhibits": [(one.caption, f"{slug}/exhibit-{index}.jpg") for index, one in enumerate(exhibits)],
    }
    return files, context


def _rendered(template: str, context: dict[str, Any]) -> bytes:
    return _environment().get_template(template).render(context).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mien_local.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
