"""Where the time of an answer went (W3C Server-Timing)."""

import time

from mien_core.model.platform import Job, JobStatus


def server_timing(job: Job, started: float) -> str:
    """The hops of a job and the whole request, in milliseconds; only a job that this call started fits into it.

    Args:
        job: its timings count where it has completed.
        started: when the request began, on time.perf_counter's clock.
    """
    hops = job.timings if job.status is JobStatus.COMPLETED else {}
    entries = [*hops.items(), ("total", (time.perf_counter() - started) * 1000)]
    return ", ".join(f"{name};dur={duration:.1f}" for name, duration in entries)
