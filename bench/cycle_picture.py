"""Draws docs/images/cycle.svg: what is predicted from four logs. `python -m bench.cycle_picture` writes it anew."""

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import Final

from mien_core.rules.cycle.forecast import next_period
from mien_core.rules.cycle.log import LoggedPeriod
from mien_core.rules.cycle.posterior import posterior
from mien_core.rules.cycle.prediction import predict

PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "cycle.svg"
START: Final = date(2026, 1, 1)
LOGS: Final[Sequence[tuple[str, Sequence[int], int]]] = (
    ("The first log, on its day", [], 0),
    ("28, 29, 57, 28, 30 days (one log skipped), on the day of a log", [28, 29, 57, 28, 30], 0),
    ("The same user on day 34 without a log: late, or skipped again?", [28, 29, 57, 28, 30], 33),
    ("24, 41, 33, 29, 38, 27, 35, 44 days, on the day of a log", [24, 41, 33, 29, 38, 27, 35, 44], 0),
)
DAYS: Final = 80
LEFT, WIDTH, HEIGHT, GAP, TOP, SCALE = 20, 900, 96, 62, 70, 5.0
DAY: Final = (WIDTH - 2 * LEFT) / DAYS
PERIOD, OVULATION, INK, QUIET = "#b4324a", "#3b6ea5", "#222", "#889"


def _x(day: float) -> float:
    return LEFT + day * DAY


def _text(x: float, y: float, text: str, colour: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'


def _bars(chances: Sequence[tuple[int, float]], base: float, colour: str) -> list[str]:
    """One bar a day, as high as its probability; 20 % fill a panel."""
    bars = []
    for day, chance in chances:
        height = min(chance * SCALE, 1) * HEIGHT
        if day < DAYS and height > 0.1:  # noqa: PLR2004  # pixels that nobody sees
            bars.append(
                f'<rect x="{_x(day) + 0.5:.1f}" y="{base - height:.1f}" width="{DAY - 1:.1f}" height="{height:.1f}" '
                f'fill="{colour}" fill-opacity="0.75"/>'
            )
    return bars


def _panel(title: str, lengths: Sequence[int], elapsed: int, top: float) -> list[str]:
    base = top + HEIGHT
    log = [LoggedPeriod(START - timedelta(days=days)) for days in [0, *accumulate(reversed(lengths))]]
    predicted = predict(log, START + timedelta(days=elapsed))
    if predicted.next_period is None or predicted.ovulation is None:
        raise ValueError(f"{title}: nothing is predicted so long after the last log")
    ovulation = [((one.date - START).days, one.p) for one in predicted.ovulation.distribution]
    period = [(elapsed + 1 + index, float(p)) for index, p in enumerate(next_period(posterior(lengths), elapsed))]
    interval = predicted.next_period.interval
    start, end = (interval.start - START).days, (interval.end - START).days
    middle = (predicted.next_period.date - START).days
    parts = [
        _text(LEFT, top - 8, title),
        f'<line x1="{_x(0)}" y1="{base}" x2="{_x(DAYS)}" y2="{base}" stroke="{QUIET}"/>',
        *_bars(ovulation, base, OVULATION),
        *_bars(period, base, PERIOD),
        f'<rect x="{_x(start):.1f}" y="{base + 3}" width="{(end - start + 1) * DAY:.1f}" height="5" fill="{PERIOD}"/>',
        _text(_x(middle + 0.5), base + 22, f"day {middle + 1}", PERIOD, "middle"),
    ]
    if elapsed:
        parts.append(
            f'<line x1="{_x(elapsed + 1):.1f}" y1="{top}" x2="{_x(elapsed + 1):.1f}" y2="{base}" stroke="{INK}" '
            'stroke-dasharray="4 3"/>'
        )
        parts.append(_text(_x(elapsed + 1) - 6, top + 12, "today", INK, "end"))
    return parts


def main() -> None:
    """Write the picture."""
    height = TOP + len(LOGS) * (HEIGHT + GAP)
    parts = [
        _text(LEFT, 24, "Each day's probability; the last logged period began on day 1"),
        _text(_x(DAYS) - 160, 24, "■ next period (80 % interval below)", PERIOD, "end"),
        _text(_x(DAYS), 24, "■ ovulation before it", OVULATION, "end"),
    ]
    for number, (title, lengths, elapsed) in enumerate(LOGS):
        parts += _panel(title, lengths, elapsed, TOP + number * (HEIGHT + GAP))
    label = "Four logs and the distribution of the next period and of the ovulation before it."
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="14" role="img" aria-label="{label}">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
    )
    PICTURE.write_text(svg + "\n".join(parts) + "\n</svg>\n", encoding="utf-8")


if __name__ == "__main__":
    main()
