"""Draws docs/images/rollout-analysis.svg: which candidates are aborted. `python -m bench.rollout_power` writes it anew.

Each point is a number of simulated rollouts (tests/simulated_rollouts.py) of candidates that differ by so much.
"""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from mien_operator.rollouts.analysis_spec import TOLERANCES, Comparator
from mien_operator.rollouts.judgement import Outcome
from tests.simulated_rollouts import Candidate, Kind, looks

PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "rollout-analysis.svg"
ROLLOUTS: Final = 60
WIDTH, HEIGHT, LEFT, TOP, GAP_X, GAP_Y = 360, 200, 60, 60, 70, 90
COLOURS: Final = ("#3b6ea5", "#b4324a")
INK, QUIET = "#222", "#889"
CAPTION: Final = (
    "Rollouts that are aborted before the candidate gets all requests; shaded: harmless by the default margins"
)


class Line(NamedTuple):
    """A kind of fault by its size."""

    name: str
    of: Callable[[float], Kind]


class Panel(NamedTuple):
    """Some faults, their sizes, the size that is harmless, and the size that the numbers are promised for."""

    title: str
    sizes: Sequence[float]
    unit: str
    harmless: float
    lines: tuple[Line, Line]


PANELS: Final = (
    Panel(
        "One metric is too low by so many points",
        (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0),
        "",
        TOLERANCES[Comparator.SCORES].margin,
        (
            Line("for everybody", lambda size: Kind(Candidate(bias={"metrics.pores": -size}))),
            Line("on dark skin only", lambda size: Kind(Candidate(dark_bias={"metrics.pores": -size}))),
        ),
    ),
    Panel(
        "It is slower by so many percent",
        (0.0, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0, 25.0),
        " %",
        TOLERANCES[Comparator.LATENCY].margin * 100,
        (
            Line("with mirrored requests", lambda size: Kind(Candidate(slower=1 + size / 100))),
            Line("by weight alone", lambda size: Kind(Candidate(slower=1 + size / 100), shadow=False)),
        ),
    ),
    Panel(
        "So many percent more requests fail",
        (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5),
        " %",
        TOLERANCES[Comparator.ERRORS].margin * 100,
        (
            Line("with mirrored requests", lambda size: Kind(Candidate(errors=size / 100))),
            Line("by weight alone", lambda size: Kind(Candidate(errors=size / 100), shadow=False)),
        ),
    ),
    Panel(
        "So many percent of faces are no longer found",
        (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0),
        " %",
        TOLERANCES[Comparator.ANSWERS].margin * 100,
        (
            Line("of everybody", lambda size: Kind(Candidate(faceless=size / 100))),
            Line("of dark skin only", lambda size: Kind(Candidate(dark_faceless=size / 100))),
        ),
    ),
)


def aborted(kind: Kind, seed: int) -> float:
    """The share of rollouts that is aborted."""
    count = 0
    for number in range(ROLLOUTS):
        *_, last = looks(kind, np.random.default_rng([seed, number]))
        count += last.judgement.outcome is Outcome.FAIL
    return count / ROLLOUTS


def _text(x: float, y: float, text: str, colour: str = INK, anchor: str = "start", *, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _panel(panel: Panel, left: float, top: float, seed: int) -> list[str]:
    low, high = panel.sizes[0], panel.sizes[-1]

    def x(size: float) -> float:
        return left + (size - low) / (high - low) * WIDTH

    def y(share: float) -> float:
        return top + (1 - share) * HEIGHT

    drawn = [
        _text(left, top - 14, panel.title, weight=600),
        f'<rect x="{left}" y="{top}" width="{x(panel.harmless) - left:.1f}" height="{HEIGHT}" fill="#eef3ee"/>',
    ]
    for share in (0.0, 0.5, 0.95):
        drawn.append(f'<path d="M{left} {y(share):.1f}h{WIDTH}" stroke="#dde" fill="none"/>')
        drawn.append(_text(left - 6, y(share) + 4, f"{share:.0%}", QUIET, "end"))
    drawn += [_text(x(size), top + HEIGHT + 18, f"{size:g}{panel.unit}", QUIET, "middle") for size in panel.sizes[::2]]
    for index, (line, colour) in enumerate(zip(panel.lines, COLOURS, strict=True)):
        shares = [aborted(line.of(size), seed + index) for size in panel.sizes]
        points = " ".join(f"{x(size):.1f},{y(share):.1f}" for size, share in zip(panel.sizes, shares, strict=True))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        drawn += [
            f'<circle cx="{x(size):.1f}" cy="{y(share):.1f}" r="3" fill="{colour}"/>'
            for size, share in zip(panel.sizes, shares, strict=True)
        ]
        drawn.append(_text(left + WIDTH, top + HEIGHT - 26 + 16 * index, line.name, colour, "end"))
    return drawn


def picture() -> str:
    """The picture as SVG."""
    drawn = [_text(LEFT, 22, CAPTION, QUIET)]
    for number, panel in enumerate(PANELS):
        left, top = LEFT + number % 2 * (WIDTH + GAP_X), TOP + number // 2 * (HEIGHT + GAP_Y)
        drawn += _panel(panel, left, top, 10 * number)
    width, height = LEFT + 2 * WIDTH + GAP_X + 30, TOP + 2 * HEIGHT + GAP_Y + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture())
    print(PICTURE)
