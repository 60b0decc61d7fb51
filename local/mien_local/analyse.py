"""One photo after another, through the libraries on this machine or through a running platform; reports for people."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from mien_core.errors import MienError, Rejected
from mien_local import report
from mien_local.client import Client

if TYPE_CHECKING:
    from mien_local.analysed import Analysed

Note = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What came of one photo.

    Attributes:
        answer: the report as JSON, in the API's words.
        milliseconds: time spent by step or hop.
        calls: seconds by call of the API; none where no platform was asked.
        picture: where the annotated picture was kept, if it was.
        analysed: all that a page shows.
    """

    answer: Mapping[str, Any]
    milliseconds: Mapping[str, float]
    calls: Mapping[str, float]
    picture: Path | None
    analysed: Callable[[], "Analysed"]


Analyse = Callable[[str, bytes], Outcome]


def by_library(note: Note) -> Analyse:
    """Analyse with the libraries, without a platform; the models are loaded now.

    Raises:
        MienError: the models' files are missing or damaged.
    """
    note("loads the models")
    from mien_local.library import Library  # noqa: PLC0415 - it imports torch, and `mien up` shall start without that

    library = Library()

    def analyse(name: str, content: bytes) -> Outcome:
        analysed = library.analyse(name, content)
        return Outcome(analysed.answer(), analysed.milliseconds, {}, None, lambda: analysed)

    return analyse


def by_platform(settings: Mapping[str, str], out: Path, note: Note) -> Analyse:
    """Analyse through a running platform, as a frontend would; annotated pictures are kept in `out`."""

    def analyse(name: str, content: bytes) -> Outcome:
        with Client(settings["MIEN_URL"], settings["MIEN_API_KEY"], note) as client:
            result = client.analyse(content)
            url = result.analysis.get("annotatedUrl")
            annotated = client.download(str(url)) if url else None
        picture = None
        if annotated is not None:
            out.mkdir(parents=True, exist_ok=True)
            picture = out / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', Path(name).stem)}-annotated.png"
            picture.write_bytes(annotated)
        timings = result.job.get("timings", {})

        def analysed() -> "Analysed":
            from mien_local.answered import analysed_of  # noqa: PLC0415 - it imports OpenCV, which few commands need

            return analysed_of(name, content, result.analysis, timings, annotated)

        return Outcome(result.analysis, timings, result.seconds, picture, analysed)

    return analyse


def read_photo(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        Rejected: photo_unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Rejected("photo_unreadable", f"{_shown(path)} can't be read: {error.strerror}.") from error


def show(console: Console, outcome: Outcome) -> None:
    """Print a report for a person."""
    report.show(console, outcome.answer, outcome.milliseconds, outcome.calls, outcome.picture)


def analyse_photos(
    console: Console, notes: Console, photos: Sequence[Path], analyse: Analyse, *, html: Path | None, as_json: bool
) -> int:
    """Analyse photos, one after the other; one that can't be analysed doesn't stop the others.

    Args:
        console: where the reports go.
        notes: where progress and failures go.
        photos: the files.
        analyse: how, see by_library and by_platform.
        html: the folder for report pages, if there shall be any.
        as_json: whether reports are printed as JSON lines instead of for people.

    Returns:
        How many photos could not be analysed.

    Raises:
        Rejected: folder_not_writable.
    """
    folder = None
    if html is not None:
        from mien_local.page.folder import ReportFolder  # noqa: PLC0415 - it imports OpenCV, which few commands need

        folder = ReportFolder(html, alone=len(photos) == 1)
    failures = 0
    for number, path in enumerate(photos, start=1):
        name = _shown(path)
        notes.print(f"[dim]· looks at {escape(name)} ({number} of {len(photos)})[/]", soft_wrap=True)
        try:
            outcome = analyse(name, read_photo(path))
        except MienError as error:
            failures += 1
            notes.print(f"{name}: {error.code}: {error.detail}", style="red", markup=False, soft_wrap=True)
            if as_json:
                failed = {"code": error.code, "detail": error.detail}
                _print_line(console, {"photo": name, "status": "failed", "error": failed})
            if folder is not None:
                folder.add_failure(name, error)
            continue
        if as_json:
            _print_line(console, {"photo": name, **outcome.answer})
        else:
            show(console, outcome)
        if folder is not None:
            folder.add(outcome.analysed())
    if folder is not None:
        where = notes if as_json else console
        where.print(f"report page: {folder.finish()}", markup=False, soft_wrap=True)
    return failures


def _shown(path: Path) -> str:
    """A path for people: a file's name may be any bytes, what is shown must be text."""
    return os.fsencode(path).decode(errors="replace")


def _print_line(console: Console, line: Mapping[str, Any]) -> None:
    console.out(json.dumps(line), highlight=False)
