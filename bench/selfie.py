"""One client, one photo after another, through a running platform: POST /analyze of an uploaded 1080p photo, by hop.

The object store's notification starts the analysis, too. Only requests that began it themselves are counted:
one that finds the work under way would be answered faster than it took.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from bench.figures import percentile, report
from mien_core.rules.uploads import MAX_BYTES
from tests import faces

WARM_UP = 10
COUNTED = 50
MOST_ATTEMPTS = 4 * COUNTED

TOTAL_LIMIT_MS = 400.0
PIPELINE_LIMIT_MS = 40.0

# What is not the pipeline's: decoding, inference, measures and annotation.
ENGINE_STEPS = ("serving.decode", "serving.detect", "serving.mesh", "serving.measures", "serving.annotate")


def run(environment: Mapping[str, str]) -> None:
    """Print the figures of the platform that this environment describes."""
    photo = faces.jpeg_bytes(faces.astronaut_1080p())
    if len(photo) > MAX_BYTES:
        raise ValueError("the benchmark's own photo is too large")
    totals: list[float] = []
    shares: list[float] = []
    hops: defaultdict[str, list[float]] = defaultdict(list)
    headers = {"Authorization": f"Bearer {environment['MIEN_API_KEY']}"}
    with httpx.Client(base_url=environment["MIEN_URL"], headers=headers, timeout=60) as client, httpx.Client() as store:
        attempts = 0
        while len(totals) < WARM_UP + COUNTED and attempts < MOST_ATTEMPTS:
            attempts += 1
            upload_id = _upload(client, store, photo)
            sent_at, started = datetime.now(UTC), time.perf_counter()
            answer = client.post("/analyze", json={"uploadId": upload_id}).raise_for_status().json()
            total = (time.perf_counter() - started) * 1000
            if datetime.fromisoformat(answer["createdAt"]) < sent_at:
                continue
            timings: dict[str, float] = client.get(f"/jobs/{answer['jobId']}").json()["timings"]
            totals.append(total)
            shares.append(total - sum(timings.get(step, 0.0) for step in ENGINE_STEPS))
            known = sum(timings[hop] for hop in ("outbox", "kafka", "queue", "begin", "serving", "commit"))
            for hop, value in {**timings, "api and waking": total - known}.items():
                hops[hop].append(value)
    medians = {hop: round(percentile(values[WARM_UP:], 50), 1) for hop, values in hops.items()}
    details = {"p95": round(percentile(totals[WARM_UP:], 95), 1), "counted": len(totals) - WARM_UP, "sent": attempts}
    report("analyze_1080p_p50", percentile(totals[WARM_UP:], 50), "ms", TOTAL_LIMIT_MS, **details, hops=medians)
    report("pipeline_share_p50", percentile(shares[WARM_UP:], 50), "ms", PIPELINE_LIMIT_MS)


def _upload(client: httpx.Client, store: httpx.Client, photo: bytes) -> str:
    body = {"contentType": "image/jpeg", "contentLength": len(photo)}
    announced = client.post("/upload-url", json=body).raise_for_status().json()
    store.request(
        announced["method"], announced["uploadUrl"], headers=announced["headers"], content=photo
    ).raise_for_status()
    upload_id: str = announced["uploadId"]
    return upload_id
