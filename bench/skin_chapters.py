"""One client, one photo after another: POST /v1/analyze/skin of 1080p photos, new ones and one that is known.

Each new photo has pixels of its own, since the same ones are not computed twice; a request whose job says otherwise
is an error, and so is one for the known photo that was computed.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import numpy as np

from bench.figures import percentile, report
from mien_api.routers.skin import PATH
from tests import faces

WARM_UP: Final = 20
COUNTED: Final = 40

NEW_LIMIT_MS: Final = 1000.0
FULL_ANALYSIS_LIMIT_MS: Final = 700.0
# no limit of the project's: a known photo has to be clearly cheaper than a new one
KNOWN_LIMIT_MS: Final = 300.0

_HOPS: Final = ("outbox", "kafka", "queue", "begin", "serving", "commit")


def run(environment: Mapping[str, str]) -> None:
    """Print the figures of the platform that this environment describes."""
    headers = {"Authorization": f"Bearer {environment['MIEN_API_KEY']}"}
    with httpx.Client(base_url=environment["MIEN_URL"], headers=headers, timeout=60) as client:
        new, new_hops = _measured(client, _photo, known=False)
        known, known_hops = _measured(client, lambda _number: _photo(0), known=True)
    full = new_hops["serving.total"]
    report("skin_1080p_p50", percentile(new, 50), "ms", NEW_LIMIT_MS, **_details(new, new_hops))
    report("full_analysis_1080p_p50", percentile(full, 50), "ms", FULL_ANALYSIS_LIMIT_MS, p95=_rounded(full, 95))
    report("skin_1080p_known_p50", percentile(known, 50), "ms", KNOWN_LIMIT_MS, **_details(known, known_hops))


def _photo(number: int) -> bytes:
    """The same face as ever, one corner of the picture differing by the number."""
    picture = faces.astronaut_1080p()
    picture[:16, :16] = np.random.default_rng(number).integers(0, 255, (16, 16, 3), np.uint8)
    return faces.jpeg_bytes(picture)


def _measured(
    client: httpx.Client, photo: Callable[[int], bytes], *, known: bool
) -> tuple[list[float], dict[str, list[float]]]:
    """Milliseconds of each counted request, and those of its hops."""
    totals: list[float] = []
    hops: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(WARM_UP + COUNTED):
        total, answer = _send(client, photo(number))
        timings: dict[str, float] = client.get(f"/jobs/{answer['analysis_id']}").json()["timings"]
        # the known photo is one of the new ones
        if ("serving.copy" in timings) is not known:
            raise RuntimeError(f"photo {number} was {'computed' if known else 'known'}, which it must not be")
        if number < WARM_UP:
            continue
        totals.append(total)
        rest = total - sum(timings[hop] for hop in _HOPS)
        for hop, value in {**timings, "api and waking": rest}.items():
            hops[hop].append(value)
    return totals, hops


def _send(client: httpx.Client, photo: bytes) -> tuple[float, dict[str, Any]]:
    """The milliseconds to the last byte, and the answer."""
    request = client.build_request("POST", PATH, files={"image": ("me.jpg", photo)})
    request.read()
    started = time.perf_counter()
    answer = client.send(request)
    total = (time.perf_counter() - started) * 1000
    body: dict[str, Any] = answer.raise_for_status().json()
    return total, body


def _details(totals: list[float], hops: Mapping[str, list[float]]) -> dict[str, Any]:
    medians = {hop: _rounded(values, 50) for hop, values in hops.items()}
    return {"p95": _rounded(totals, 95), "requests": len(totals), "hops": medians}


def _rounded(values: list[float], percent: int) -> float:
    return round(percentile(values, percent), 1)
