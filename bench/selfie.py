"""One client, one photo after another, through a running platform: POST /analyze of an uploaded 1080p photo, by hop.

The object store's notification starts the analysis, too, and a request that finds the work under way is answered
faster than it took. So the platform of this benchmark runs without the role that reads notifications, and a request
that didn't begin its work itself is an error.
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx

from bench.figures import percentile, report
from mien_core.rules.uploads import MAX_BYTES
from tests import faces

ROLES = "relay,analyse-face"
COUNTED = 50
# Replicas, pools and the broker's code go on getting faster for a minute or two, which depends on the machine. Warm is
# a platform whose median no longer falls by this much from one series to the next.
STILL_WARMING = 0.03
MOST_SERIES = 10

TOTAL_LIMIT_MS = 400.0
PIPELINE_LIMIT_MS = 40.0

# What is not the pipeline's: decoding, inference, measures; and skin, masks and annotation, which run beside each other
# and have their wall time in depict.
ENGINE_STEPS = ("serving.decode", "serving.detect", "serving.mesh", "serving.measures", "serving.depict")


@dataclass
class _Series:
    """Milliseconds of COUNTED requests: whole, the pipeline's own, by hop."""

    totals: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    hops: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def p50(self) -> float:
        return percentile(self.totals, 50)

    def add(self, total: float, timings: Mapping[str, float]) -> None:
        self.totals.append(total)
        self.shares.append(total - sum(timings[step] for step in ENGINE_STEPS))
        known = sum(timings[hop] for hop in ("outbox", "kafka", "queue", "begin", "serving", "commit"))
        for hop, value in {**timings, "api and waking": total - known}.items():
            self.hops[hop].append(value)


def run(environment: Mapping[str, str]) -> None:
    """Print the figures of the platform that this environment describes."""
    photo = faces.jpeg_bytes(faces.astronaut_1080p())
    if len(photo) > MAX_BYTES:
        raise ValueError("the benchmark's own photo is too large")
    headers = {"Authorization": f"Bearer {environment['MIEN_API_KEY']}"}
    with httpx.Client(base_url=environment["MIEN_URL"], headers=headers, timeout=60) as client, httpx.Client() as store:
        warm_up = [_series(environment, client, store, photo)]
        counted = _series(environment, client, store, photo)
        while counted.p50 < warm_up[-1].p50 * (1 - STILL_WARMING) and len(warm_up) < MOST_SERIES:
            warm_up.append(counted)
            counted = _series(environment, client, store, photo)
    medians = {hop: round(percentile(values, 50), 1) for hop, values in counted.hops.items()}
    details = {"p95": round(percentile(counted.totals, 95), 1), "requests": COUNTED, "warm_up": len(warm_up) * COUNTED}
    report("analyze_1080p_p50", counted.p50, "ms", TOTAL_LIMIT_MS, **details, hops=medians)
    report("pipeline_share_p50", percentile(counted.shares, 50), "ms", PIPELINE_LIMIT_MS)


def _series(environment: Mapping[str, str], client: httpx.Client, store: httpx.Client, photo: bytes) -> _Series:
    series = _Series()
    for _ in range(COUNTED):
        upload_id = _upload(client, store, photo)
        sent_at = datetime.now(UTC)
        total, answer = _analyse(environment, upload_id)
        if datetime.fromisoformat(answer["createdAt"]) < sent_at:
            raise RuntimeError("the work had begun before the call; is the role s3-notifications running?")
        series.add(total, client.get(f"/jobs/{answer['jobId']}").json()["timings"])
    return series


def _upload(client: httpx.Client, store: httpx.Client, photo: bytes) -> str:
    body = {"contentType": "image/jpeg", "contentLength": len(photo)}
    announced = client.post("/upload-url", json=body).raise_for_status().json()
    store.request(
        announced["method"], announced["uploadUrl"], headers=announced["headers"], content=photo
    ).raise_for_status()
    upload_id: str = announced["uploadId"]
    return upload_id


def _analyse(environment: Mapping[str, str], upload_id: str) -> tuple[float, dict[str, Any]]:
    """Call POST /analyze with the standard library's plain client: what the client itself costs is not the platform's.

    Gives the milliseconds to the last byte, and the answer.
    """
    connection = HTTPConnection(urlsplit(environment["MIEN_URL"]).netloc, timeout=60)
    connection.connect()
    headers = {"Authorization": f"Bearer {environment['MIEN_API_KEY']}", "Content-Type": "application/json"}
    body = json.dumps({"uploadId": upload_id})
    started = time.perf_counter()
    connection.request("POST", "/analyze", body, headers)
    response = connection.getresponse()
    answer = response.read()
    total = (time.perf_counter() - started) * 1000
    connection.close()
    if response.status != HTTPStatus.OK:
        raise RuntimeError(f"POST /analyze answered {response.status}: {answer.decode()}")
    return total, json.loads(answer)
