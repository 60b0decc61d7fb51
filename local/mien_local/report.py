"""A face analysis as a person reads it on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mien_local import words

_BAR_CELLS = 24
_ONE_HALF = 0.5

# The ten tones of the Monk Skin Tone scale.
_MONK = (
    "#f6ede4",
    "#f3e7db",
    "#f7ead0",
    "#eadaba",
    "#d7bd96",
    "#a07e56",
    "#825c43",
    "#604134",
    "#3a312a",
    "#292420",
)


def show(
    console: Console,
    analysis: Mapping[str, Any],
    timings: Mapping[str, float],
    calls: Mapping[str, float],
    picture: Path | None,
) -> None:
    """Print an analysis (the API's JSON), milliseconds by hop, seconds by call, and where the picture is."""
    parts: list[RenderableType] = []
    face = analysis.get("face")
    if face:
        parts += [_face(face), Text(), _quality(face["quality"]), Text()]
    parts += [_tone(analysis.get("tone")), Text()]
    skin = analysis.get("skin")
    if skin:
        parts += [_skin(skin), Text(), *_conditions(skin), Text()]
    parts.append(_times(timings, calls))
    kind = "Face and skin report" if skin else "Face report"
    title = " · ".join(
        part for part in (kind, analysis.get("photo"), analysis.get("modelRevision") or "unknown model") if part
    )
    console.print(Panel(Group(*parts), title=escape(title), title_align="left", padding=(1, 2)))
    if picture is not None:
        console.print(f"annotated picture: {escape(str(picture))}", soft_wrap=True)
    if analysis.get("notice"):
        console.print(f"[dim]{escape(str(analysis['notice']))}[/]")


def _face(face: Mapping[str, Any]) -> RenderableType:
    box, pose = face["boundingBox"], face["pose"]
    table = _facts()
    count = int(face["faceCount"])
    others = "" if count == 1 else f", the largest of {count}"
    table.add_row("face", f"found with confidence {face['confidence']:.2f}{others}; {len(face['landmarks'])} landmarks")
    table.add_row(
        "where",
        f"{box['left']:.0%} from the left, {box['top']:.0%} from the top, "
        f"{box['width']:.0%} wide, {box['height']:.0%} high",
    )
    table.add_row("pose", f"yaw {pose['yaw']:+.1f}°, pitch {pose['pitch']:+.1f}°, roll {pose['roll']:+.1f}°")
    return table


def _quality(quality: Mapping[str, Any]) -> RenderableType:
    verdict = "[green]good enough[/]" if quality["passed"] else "[yellow]could be better[/]"
    table = Table(title=f"quality: {verdict}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("gate")
    table.add_column("value", justify="right")
    table.add_column("threshold", justify="right")
    table.add_column("advice", overflow="fold")
    for gate in quality["gates"]:
        mark = "[green]✔[/]" if gate["passed"] else "[yellow]✘[/]"
        advice = escape(str(gate.get("advice") or ""))
        table.add_row(mark, escape(gate["code"]), _number(gate["value"]), _number(gate["threshold"]), advice)
    return table


def _tone(tone: Mapping[str, Any] | None) -> RenderableType:
    table = _facts()
    if tone is None:
        table.add_row("tone", "this photo doesn't show it: its light or its size doesn't allow a measurement")
        return table
    monk = int(tone["monk"]["tone"])
    swatch = Text("      ", style=f"on {_MONK[monk - 1]}")
    words = f"  Monk {monk} of {len(_MONK)} (ΔE {tone['monk']['deltaE']:.1f}), ITA {tone['ita']:.1f}°, "
    table.add_row(
        "tone", swatch + Text(words + f"{str(tone['class']).replace('_', ' ')}, {tone['undertone']} undertone")
    )
    return table


def _skin(skin: Mapping[str, Any]) -> RenderableType:
    table = _facts()
    score, chapter = skin["skinScore"], skin["recommendedChapter"]
    table.add_row("skin", escape(skin["skinType"] or "the photo doesn't show a type"))
    basis = f"from {len(skin['probabilities'])} of {len(skin['probabilities']) + len(skin['abstained'])} conditions"
    table.add_row("score", "the photo doesn't show enough for one" if score is None else f"{score} of 100, {basis}")
    if chapter is not None:
        table.add_row("chapter", escape(words.chapter(int(chapter))))
    return table


def _conditions(skin: Mapping[str, Any]) -> list[RenderableType]:
    """The conditions as bars with a line at one half, the most probable first; then what wasn't judged, and why."""
    table = Table(title="conditions", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("condition")
    table.add_column("probability")
    table.add_column("", justify="right")
    for condition, probability in sorted(skin["probabilities"].items(), key=lambda one: -one[1]):
        colour = "yellow" if probability > _ONE_HALF else "cyan"
        name = escape(words.named(condition, words.CONDITIONS).lower())
        table.add_row(name, f"[{colour}]{bar(probability)}[/]", f"{probability:.0%}")
    left_out = {one["condition"]: one for one in skin.get("abstentions", ()) if one["condition"]}
    for condition in skin["abstained"]:
        name = escape(words.named(condition, words.CONDITIONS).lower())
        why = left_out.get(condition)
        reason = words.named(why["reason"], words.REASONS) if why else "the photo doesn't show it"
        table.add_row(f"[dim]{name}[/]", f"[dim]not judged: {escape(reason)}[/]", "")
    advice = dict.fromkeys(str(one["advice"]) for one in skin.get("abstentions", ()))
    return [table, *(Text(f"To see more: {one}", style="dim") for one in advice)]


def bar(probability: float) -> str:
    """A probability (0-1) as a bar of characters with a line at one half."""
    filled = round(probability * _BAR_CELLS)
    cells = ["█"] * filled + ["·"] * (_BAR_CELLS - filled)
    cells.insert(_BAR_CELLS // 2, "│")
    return "".join(cells)


def _times(timings: Mapping[str, float], calls: Mapping[str, float]) -> RenderableType:
    table = Table(title="time spent", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("where")
    table.add_column("ms", justify="right")
    for name, milliseconds in timings.items():
        *outer, inner = name.split(".")
        table.add_row(escape("  " * len(outer) + inner), f"{milliseconds:.1f}")
    for name, seconds in calls.items():
        table.add_row(f"[dim]{escape(name)}, seen from here[/]", f"[dim]{seconds * 1000:.1f}[/]")
    return table


def _facts() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", min_width=5)
    table.add_column(overflow="fold")
    return table


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits are enough to read
