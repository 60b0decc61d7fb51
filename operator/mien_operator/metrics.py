"""What the operator counts, for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECONCILE_SECONDS: Final = Histogram(
    "mien_operator_reconcile_seconds",
    "A look at a resource, the decision, and what was done of it.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
RECONCILE_ERRORS: Final = Counter(
    "mien_operator_reconcile_errors",
    "Looks that ended with an error, by its code; bug is what nobody foresaw.",
    ["kind", "code"],
)
LEADING: Final = Gauge("mien_operator_leading", "1 while this process is the one that works.")
LAST_EVENT_SECONDS: Final = Gauge(
    "mien_operator_last_event_seconds", "How long ago the cluster was last heard of, by a watch or a probe."
)
RESOURCES: Final = Gauge("mien_operator_resources", "Resources that are looked after.", ["kind"])
DEGRADED: Final = Gauge(
    "mien_operator_degraded_resources", "Resources whose condition Degraded is True: somebody should look.", ["kind"]
)
