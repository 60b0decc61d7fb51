"""A worker that dies in the middle of its work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import psycopg
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


@contextmanager
def _nothing_completes(platform: Platform) -> Iterator[None]:
    """Let no job end well as long as the block lasts, on however fast a machine: its analysis can't be written."""
    with psycopg.connect(platform.environment["MIEN_POSTGRES__URL"]) as connection:
        connection.execute("LOCK TABLE analyses IN SHARE MODE")
        yield


def _begun(platform: Platform) -> list[str]:
    """Upload photos and ask for their analyses; the uploads' ids."""
    photo = faces.jpeg_bytes(faces.astronaut())
    with ThreadPoolExecutor(JOBS) as pool:
        upload_ids = list(pool.map(lambda _: platform.upload(photo), range(JOBS)))
        answers = pool.map(
            lambda upload_id: platform.client.post(
                "/analyze", json={"uploadId": upload_id}, headers={"Prefer": "wait=0"}
            ),
            upload_ids,
        )
        assert {answer.status_code for answer in answers} == {202}
    return upload_ids


def test_jobs_under_way_survive_kill_9(platform: Platform) -> None:
    """Streams gets kill -9 while 20 jobs run, and comes back by itself: all 20 completed, with one result each."""
    statuses = "SELECT status, count(*) FROM jobs WHERE upload_id = ANY(%s::uuid[]) GROUP BY status"

    def count(status: str) -> int:
        return int(dict(platform.query(statuses, upload_ids)).get(status, 0))

    killed = _streams(platform)
    with _nothing_completes(platform):
        upload_ids = _begun(platform)
        wait_until(lambda: count("processing") > 0, 60, "some jobs are under way")
        killed.kill()
        wait_until(lambda: not killed.is_running(), 60, "it is gone")
        assert count("completed") == 0

    wait_until(lambda: count("completed") == JOBS, 120, "all jobs have completed after the restart")
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
