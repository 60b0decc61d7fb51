"""A worker that dies in the middle of its work."""

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests import faces
from tests.e2e.conftest import Platform, wait_until

pytestmark = pytest.mark.timeout(300)

JOBS = 20


def _streams(platform: Platform) -> psutil.Process:
    """The platform's own streams process."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "mien_streams" in (process.info["cmdline"] or [])
        and (process.info["environ"] or {}).get("MIEN_KAFKA__BROKERS") == platform.environment["MIEN_KAFKA__BROKERS"]
    ]
    assert len(found) == 1
    return found[0]


def test_jobs_under_way_survive_kill_9(platform: Platform) -> None:
    """Streams gets kill -9 while 20 jobs run, and comes back by itself: all 20 completed, with one result each."""
    photo = faces.jpeg_bytes(faces.astronaut())
    killed = _streams(platform)
    # held back until all 20 wait for it, so that it is in the middle of them when it dies, on any machine
    killed.suspend()
    with ThreadPoolExecutor(JOBS) as pool:
        upload_ids = list(pool.map(lambda _: platform.upload(photo), range(JOBS)))
        answers = pool.map(
            lambda upload_id: platform.client.post(
                "/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=0"}
            ),
            upload_ids,
        )
        assert {answer.status_code for answer in answers} == {202}
    killed.resume()
    statuses = "SELECT status, count(*) FROM jobs WHERE upload_id = ANY(%s::uuid[]) GROUP BY status"

    def count(status: str) -> int:
        return int(dict(platform.query(statuses, upload_ids)).get(status, 0))

    wait_until(lambda: count("processing") > 0, 30, "some jobs are under way")
    killed.kill()
    killed.wait(10)
    assert count("completed") < JOBS, "the worker was too fast for this test to say anything"

    wait_until(lambda: count("completed") == JOBS, 60, "all jobs have completed after the restart")
    results = platform.query("SELECT count(*) FROM analyses WHERE upload_id = ANY(%s::uuid[])", upload_ids)
    assert results == [(JOBS,)]
    ends = platform.query(
        """
        SELECT count(*) FROM job_events JOIN jobs ON jobs.id = job_id
        WHERE upload_id = ANY(%s::uuid[]) AND job_events.status = 'completed'
        """,
        upload_ids,
    )
    assert ends == [(JOBS,)]
