"""What a photo adds to the skin diary, and how that differs from what the diary has.

The five metrics are the skin report's own: 100 times what is left of 1 after the measure's curve, which is monotone and
one half where a careful layman would begin to see it (mien_serving.skin.probability has the curves and their reasons).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from mien_core.model.cycle import DiaryMetrics, SkinScan
from mien_core.model.face import Quality
from mien_core.model.skin import SkinReport
from mien_core.rules.cycle.phases import CycleLog
from mien_core.rules.skin import not_visible


@dataclass(frozen=True, slots=True)
class MetricChanges:
    """By how many points each metric differs; None where either side isn't known."""

    radiance: float | None
    moisture: float | None
    texture: float | None
    pores: float | None
    dark_circles: float | None


def require_metrics(report: SkinReport, quality: Quality) -> DiaryMetrics:
    """The metrics that a photo shows; what it can't show is None.

    Raises:
        Rejected: where it shows none of them, as rules.skin.require_conclusion has it: a line without anything in it
            would tell nobody anything, and the advice tells how to do better.
    """
    metrics = DiaryMetrics(**report.metrics.model_dump())
    if set(asdict(metrics).values()) == {None}:
        raise not_visible(report, quality)
    return metrics


def change_in_phase(scan: SkinScan, earlier: Sequence[SkinScan], log: CycleLog) -> MetricChanges | None:
    """How a scan differs from the user's own mean in the phase of the cycle that it was taken in.

    Each phase has a skin of its own, so a comparison with other phases would show the cycle and not the skin.

    Args:
        scan: of which.
        earlier: the user's scans before it, in any order.
        log: the user's.

    Returns:
        None where the phase isn't known, or where none of the earlier scans lies in it.
    """
    phase = log.phase_of(scan.date, scan.cycle_day)
    alike = [one.metrics for one in earlier if phase is not None and log.phase_of(one.date, one.cycle_day) == phase]
    return changes(scan.metrics, alike) if alike else None


def changes(metrics: DiaryMetrics, others: Sequence[DiaryMetrics]) -> MetricChanges:
    """How metrics differ from the mean of others, in points to one decimal: a positive number is better."""

    def change(name: str) -> float | None:
        value: float | None = getattr(metrics, name)
        known = [one for one in (getattr(other, name) for other in others) if one is not None]
        return round(value - fmean(known), 1) if value is not None and known else None

    return MetricChanges(**{name: change(name) for name in asdict(metrics)})
