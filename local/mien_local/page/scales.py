"""Where things lie on a bar, in per cent of its width from the left."""

from dataclasses import dataclass

# Room at the end of a bar, so that the largest of its numbers doesn't touch the edge.
_ROOM = 1.15


@dataclass(frozen=True)
class Bar:
    """A bar from the number start to the number end, and where on it its parts lie (0-100).

    value is the measured number, mark the number that it is compared with (None: there is none), low and high the ends
    of the value's interval.
    """

    start: float
    end: float
    value: float
    mark: float | None
    low: float
    high: float


def bar(value: float, mark: float | None = None, low: float | None = None, high: float | None = None) -> Bar:
    """A bar on which all these numbers have their place; it contains 0. Without an interval the value is its own."""
    low, high = value if low is None else low, value if high is None else high
    shown = [0.0, value, low, high, *([] if mark is None else [mark])]
    start, end = _ROOM * min(shown), _ROOM * max(shown)
    if start == end:
        end = start + 1

    def place(number: float) -> float:
        return round(100 * (number - start) / (end - start), 2)

    return Bar(start, end, place(value), None if mark is None else place(mark), place(low), place(high))


def place_between(number: float, start: float, end: float) -> float:
    """Where a number lies between two (0-100); what lies beyond an end is at that end."""
    return round(100 * min(1.0, max(0.0, (number - start) / (end - start))), 2)
