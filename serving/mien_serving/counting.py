"""Counts a router's requests by revision; it is in each request's process, so it costs next to nothing."""

import math
from bisect import bisect_left

from mien_core.model.comparisons import LATENCY_BOUNDS, Latencies, Sides, Tally, Traffic


class SideCount:
    """One revision's."""

    __slots__ = ("buckets", "count", "errors", "log_squares", "log_total", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.count = 0
        self.log_total = 0.0
        self.log_squares = 0.0
        self.buckets = [0] * (len(LATENCY_BOUNDS) + 1)

    def note(self, milliseconds: float, *, failed: bool) -> None:
        """One request. A failure's time says nothing of how long answers take."""
        self.requests += 1
        if failed:
            self.errors += 1
            return
        logarithm = math.log(max(milliseconds, 0.01))
        self.count += 1
        self.log_total += logarithm
        self.log_squares += logarithm * logarithm
        self.buckets[bisect_left(LATENCY_BOUNDS, milliseconds)] += 1

    def traffic(self) -> Traffic:
        """What was noted."""
        latencies = Latencies(self.count, self.log_total, self.log_squares, tuple(self.buckets))
        return Traffic(self.requests, self.errors, latencies)


class RouterCount:
    """Both revisions', and the copies that were not made."""

    __slots__ = ("candidate", "dropped", "stable")

    def __init__(self) -> None:
        self.stable = SideCount()
        self.candidate = SideCount()
        self.dropped = 0

    def tally(self) -> Tally:
        """What was noted."""
        return Tally(dropped=self.dropped, traffic=Sides(self.stable.traffic(), self.candidate.traffic()))
