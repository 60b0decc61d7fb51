"""What a person sees while a platform starts, runs and stops."""

import threading
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien_local.home import Home
from mien_local.processes import Identity
from mien_local.state import PartState, PlatformState

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta", "bright_green")
_MARKS = {
    "starting": "[dim]·[/]",
    "ready": "[green]✔[/]",
    "external": "[green]↗[/]",
    "failed": "[red]✘[/]",
    "restarting": "[yellow]↻[/]",
    "given up": "[red]✘[/]",
}
_PHASE_STYLES = {"ready": "green", "external": "green", "failed": "red", "given up": "red"}
_FOLLOW_SECONDS = 0.2


class Progress:
    """Prints one line for what is worth one: a part is ready, failed, starts again, or says what it does."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, state: PartState) -> None:
        """Hear of a change."""
        name = f"{state.name:<9}"
        if state.phase in {"preparing", "waiting"}:
            if state.note:
                self._console.print(f"[dim]·[/] {name} {escape(state.note)}")
            return
        mark = _MARKS.get(state.phase)
        if mark is None or (state.phase == "starting" and not state.note):
            return
        seconds = f"{state.seconds:5.1f} s" if state.seconds is not None and state.phase == "ready" else " " * 7
        again = f" (restarts: {state.restarts})" if state.restarts and state.phase == "ready" else ""
        said = escape((state.note or state.address) + again)
        self._console.print(f"{mark} {name} {seconds}  {said}", soft_wrap=True)


def show_ready(console: Console, home: Home, state: PlatformState) -> None:
    """Where the platform is, and with which credential."""
    settings = state.environment
    console.print()
    console.print(f"[bold]mien is up:[/] {settings['MIEN_URL']}   docs: {settings['MIEN_URL']}/api/docs")
    console.print(f"development credential: {settings.get('MIEN_API_KEY', '')}", soft_wrap=True)
    console.print(f"all settings: source {home.environment_file}", soft_wrap=True)
    console.print(f"logs: {home.logs}   stop it with: mien down", soft_wrap=True)


def show_status(console: Console, state: PlatformState) -> None:
    """A table of the parts; restarts and how a part ended last stand there once there was such an end."""
    phase = "degraded" if state.phase == "ready" and not state.is_healthy else state.phase
    ended = any(part.last_exit for part in state.parts)
    columns = ("part", "state", "address", "start", *(("restarts", "last exit") if ended else ()))
    table = Table(*columns, title=f"mien: {phase}", title_justify="left")
    for part in state.parts:
        style = _PHASE_STYLES.get(part.phase, "yellow")
        seconds = "" if part.seconds is None else f"{part.seconds:.1f} s"
        cells = [part.name, f"[{style}]{part.phase}[/]", escape(part.address), seconds]
        table.add_row(*cells, *((str(part.restarts), escape(part.last_exit)) if ended else ()))
    console.print(table)
    for part in state.parts:
        if part.note:
            console.print(f"{part.name}: {escape(part.note)}", soft_wrap=True)


def show_last_words(console: Console, home: Home) -> None:
    """What is known of a platform that doesn't run any more: why it failed, or whom it left behind."""
    state = PlatformState.read(home)
    console.print(f"No platform runs in {home.root}.", soft_wrap=True)
    if state is None:
        return
    left = [
        part.name
        for part in state.parts
        if (record := Identity.read(home.run / f"{part.name}.json")) and record.is_alive()
    ]
    if state.error:
        console.print(f"The last one failed: {escape(state.error)}", soft_wrap=True)
    if left:
        console.print(f"Its supervisor was killed and left {', '.join(left)}: `mien up` ends and starts them anew.")


class LogFollower:
    """Prints what processes write to their logs, with a coloured prefix each, in a thread of its own.

    Args:
        console: where to print.
        folder: the logs.
        names: whose logs; none means all, also those that appear later.
        lines: how many of what is already there to show first.
    """

    def __init__(self, console: Console, folder: Path, names: tuple[str, ...] = (), lines: int = 0) -> None:
        self._console = console
        self._folder = folder
        self._names = names
        self._lines = lines
        self._offsets: dict[Path, tuple[int, int]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        for path in self._paths():
            self._show_end(path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._show_new()

    def wait(self) -> None:
        """Follow until the person has seen enough (Ctrl-C)."""
        self._stopped.wait()

    def _follow(self) -> None:
        while not self._stopped.wait(_FOLLOW_SECONDS):
            self._show_new()

    def _paths(self) -> list[Path]:
        paths = sorted(self._folder.glob("*.log"))
        chosen = [path for path in paths if not path.name.endswith(".previous.log") and path.stem != "mien"]
        return [path for path in chosen if not self._names or path.stem in self._names]

    def _show_end(self, path: Path) -> None:
        text = path.read_text(errors="replace")
        self._offsets[path] = (path.stat().st_ino, path.stat().st_size)
        for line in text.splitlines()[-self._lines :] if self._lines else ():
            self._print(path, line)

    def _show_new(self) -> None:
        for path in self._paths():
            try:
                self._show_new_of(path)
            except FileNotFoundError:  # replaced this moment by the log of a new start
                continue

    def _show_new_of(self, path: Path) -> None:
        file_number = path.stat().st_ino
        known, offset = self._offsets.get(path, (file_number, 0))
        with path.open("rb") as file:
            file.seek(offset if known == file_number else 0)
            new = file.read()
            whole = new[: new.rfind(b"\n") + 1]  # a line that is still being written waits
            self._offsets[path] = (file_number, file.tell() - len(new) + len(whole))
        for line in whole.decode(errors="replace").splitlines():
            self._print(path, line)

    def _print(self, path: Path, line: str) -> None:
        colour = _COLOURS[sum(path.stem.encode()) % len(_COLOURS)]
        self._console.print(f"[{colour}]{path.stem:<9}│[/] {escape(line)}", soft_wrap=True, highlight=False)
