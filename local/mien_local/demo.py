"""One photo through the whole platform, with the code that a frontend would have."""

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from PIL import Image
from rich.console import Console

from mien_core.errors import Missing, Rejected
from mien_local import applications, environment_file
from mien_local.analyse import Outcome, by_platform, read_photo, show
from mien_local.client import Client
from mien_local.home import Home
from mien_local.platform import end_orphans
from mien_local.processes import exists
from mien_local.screen import Progress
from mien_local.state import PlatformState
from mien_local.supervisor import running

_PREFIX = "demo-"


def demonstrate(console: Console, home: Home, photo: Path | None) -> None:
    """Start a platform of its own in a new folder, analyse a photo, stop, remove the folder.

    A platform of this home that runs already is left alone.

    Args:
        console: where the report goes.
        home: whose `out` keeps the annotated picture.
        photo: a file; None means a portrait of Eileen Collins (NASA, public domain).

    Raises:
        MienError: with the code of what went wrong.
    """
    name, content = ("astronaut", astronaut()) if photo is None else (photo.stem, read_photo(photo))
    home.prepare()
    with own_home(console, home) as own, running(own, Progress(console)) as platform:
        console.print()
        outcome = analyse(console, platform.environment, name, content, home.out)
        console.print()
        show_applications(console, platform.environment, content, outcome.answer, home.out)
        console.print()
        console.print("[dim]stops the platform[/]")


def analyse(console: Console, settings: Mapping[str, str], name: str, content: bytes, out: Path) -> Outcome:
    """Send a photo to a running platform, print the report, keep the annotated picture and a report page in `out`.

    Raises:
        MienError: with the code of the problem.
    """
    outcome = by_platform(settings, out, lambda line: console.print(f"[dim]· {line}[/]"))(name, content)
    console.print()
    show(console, outcome)
    from mien_local.page.folder import ReportFolder  # noqa: PLC0415 - it imports OpenCV, which few commands need

    folder = ReportFolder(out / f"{name}-report", alone=True)
    folder.add(outcome.analysed())
    console.print(f"report page: {folder.finish()}", markup=False, soft_wrap=True)
    return outcome


def show_applications(
    console: Console, settings: Mapping[str, str], content: bytes, analysis: Mapping[str, Any], out: Path
) -> None:
    """Print a line for each of the five applications; the pictures that they make are kept in `out`.

    Raises:
        MienError: with the code of the problem.
    """
    with Client(settings["MIEN_URL"], settings["MIEN_API_KEY"]) as client:
        for line in applications.lines(applications.Shown(client, content, analysis, out)):
            console.print(f"{line.application:<14} {line.said}", markup=False, soft_wrap=True)


def running_settings(home: Home, environment: Mapping[str, str]) -> Mapping[str, str]:
    """MIEN_URL and MIEN_API_KEY: from the environment, else from this home's running platform.

    Raises:
        Missing: no_platform.
    """
    if environment.get("MIEN_URL") and environment.get("MIEN_API_KEY"):
        return environment
    settings = environment_file.read(home.environment_file)
    if PlatformState.of_running(home) is None or "MIEN_API_KEY" not in settings:
        raise Missing("no_platform", f"No platform runs in {home.root}: start one with `mien up`.")
    return settings


def astronaut() -> bytes:
    """A real face that is in the public domain, as JPEG: its picture's upper part, enlarged to 1920 x 1080 pixels.

    As it is, the face has a hundred pixels, too few to show skin.
    """
    from skimage.data import astronaut as pixels  # noqa: PLC0415 - takes a second to import, and most commands don't

    buffer = io.BytesIO()
    photo = Image.fromarray(pixels()[:288])  # type: ignore[no-untyped-call]  # scikit-image types little
    photo.resize((1920, 1080), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@contextmanager
def own_home(console: Console, home: Home) -> Iterator[Home]:
    """A new home inside `home`, removed afterwards; only its logs stay, if the platform itself failed."""
    clear_up(home)
    own = Home(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home.root)))
    keep_logs = True
    try:
        yield own
        keep_logs = False
    except (Rejected, KeyboardInterrupt):  # the photo's fault, or the person's wish
        keep_logs = False
        raise
    finally:
        rmtree(own.data if keep_logs else own.root, ignore_errors=True)
        if keep_logs:
            console.print(f"[dim]the logs of this run: {own.logs}[/]", soft_wrap=True)


def clear_up(home: Home) -> None:
    """End and remove what demonstrations before left: killed ones processes, failed ones logs."""
    for folder in home.root.glob(f"{_PREFIX}*-*"):
        pid = folder.name.split("-")[1]
        if not (pid.isdigit() and exists(int(pid))):
            end_orphans(Home(folder))
            rmtree(folder, ignore_errors=True)
