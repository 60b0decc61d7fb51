"""What is looked at after each fault: nothing lost, nothing done twice, nothing left lying about.

Every accepted job is in exactly one end state by exactly one last job event, a completed one has one analysis that was
written once, its pictures and one follow-up event (as often as the relay likes, always with the same id); the inbox has
its event; outbox and dead letters are empty, offsets committed to the end; what lies in S3 belongs to an upload and is
named by its analysis.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from mien_core.events import FaceAnalysed, JobFailed, UploadReceived, face_analysed, job_failed, upload_received
from mien_core.model.keys import annotated_key, photo_key
from mien_core.model.platform import JobStatus
from mien_streams.handlers import analyse_face
from tests.faults.topics import Fact, Topics

JOBS = """
    SELECT job.id::text, job.upload_id::text, job.status, job.error_code, analysis.annotated_key, analysis.mask_keys,
           analysis.model_revision,
           (SELECT count(*) FROM job_events WHERE job_id = job.id) AS steps,
           (SELECT max(seq) FROM job_events WHERE job_id = job.id) AS last_step
    FROM jobs AS job LEFT JOIN analyses AS analysis ON analysis.job_id = job.id
"""


@dataclass
class Findings:
    """What is wrong: by the ids of jobs, with the reason, and what belongs to no job."""

    lost: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    doubled: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        lines = [f"lost: {job}: {', '.join(why)}" for job, why in self.lost.items()]
        lines += [f"doubled: {job}: {', '.join(why)}" for job, why in self.doubled.items()]
        return "\n".join(lines + self.wrong) or "nothing"


@dataclass(frozen=True)
class Expected:
    """What a test knows: the jobs that were accepted, those that fail with a code, and how many dead letters lie."""

    accepted: Collection[str]
    failing: Mapping[str, str]
    dead_letters: int


async def audit(url: str, expected: Expected, topics: Topics, keys: Collection[str]) -> Findings:
    """Look at everything there is.

    Args:
        url: of the database.
        expected: as the test knows it.
        topics: of the broker.
        keys: of all objects in the bucket.
    """
    findings = Findings()
    await topics.read()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as connection:

        async def read(statement: str, *parameters: object) -> list[dict[str, Any]]:
            return await (await connection.execute(statement, parameters)).fetchall()

        jobs = {job["id"]: job for job in await read(JOBS)}
        effects = {
            (row["what"], row["id"]): row["times"]
            for row in await read("SELECT what, id, count(*) AS times FROM effects GROUP BY what, id")
        }
        inbox = {
            row["event_id"] for row in await read("SELECT event_id FROM inbox WHERE handler = %s", analyse_face.NAME)
        }
        [rest] = await read(
            "SELECT (SELECT count(*) FROM outbox) AS outbox, (SELECT count(*) FROM dead_letters) AS dead_letters"
        )
        uploads = {row["id"] for row in await read("SELECT id::text FROM uploads")}
    for job_id in expected.accepted:
        if job_id not in jobs:
            findings.lost[job_id].append("accepted, and there is no such job")
    for job in jobs.values():
        _check_job(job, expected.failing.get(job["id"]), effects, findings)
        _check_events(job, inbox, effects, topics, findings)
    if rest["outbox"]:
        findings.wrong.append(f"the outbox has {rest['outbox']} rows")
    if rest["dead_letters"] != expected.dead_letters:
        findings.wrong.append(f"there are {rest['dead_letters']} dead letters, not {expected.dead_letters}")
    lag = await topics.lag()
    if lag:
        findings.wrong.append(f"{lag} messages are not committed")
    _check_objects(jobs.values(), uploads, keys, findings)
    return findings


def _check_job(
    job: Mapping[str, Any], fails_with: str | None, effects: Mapping[tuple[str, str], int], findings: Findings
) -> None:
    job_id = job["id"]
    status = JobStatus(job["status"])
    if not status.ended:
        findings.lost[job_id].append(f"is {status} and nobody works on it")
    if status.ended and job["error_code"] != fails_with:
        findings.wrong.append(f"{job_id} ended with {job['error_code']}, not with {fails_with}")
    if (status is JobStatus.COMPLETED) and job["annotated_key"] is None:
        findings.lost[job_id].append("completed, and has no analysis")
    if job["steps"] != job["last_step"]:
        findings.wrong.append(f"{job_id} has {job['steps']} steps, the last of which is number {job['last_step']}")
    for what in ("end", "analysis"):
        if effects.get((what, job_id), 0) > 1:
            findings.doubled[job_id].append(f"its {what} was written {effects[what, job_id]} times")


def _check_events(
    job: Mapping[str, Any],
    inbox: Collection[str],
    effects: Mapping[tuple[str, str], int],
    topics: Topics,
    findings: Findings,
) -> None:
    job_id = job["id"]
    status = JobStatus(job["status"])
    cause = upload_received(job["upload_id"], job_id)
    wanted: dict[Fact, set[str]] = {UploadReceived: {str(cause.id)}}
    if status is JobStatus.COMPLETED:
        wanted[FaceAnalysed] = {str(face_analysed(cause, job["model_revision"] or "").id)}
    if status is JobStatus.FAILED:
        wanted[JobFailed] = {str(job_failed(cause, job["error_code"]).id)}
    facts: tuple[Fact, ...] = (UploadReceived, FaceAnalysed, JobFailed)
    for fact in facts:
        published, should = topics.event_ids.get((fact, job_id), set()), wanted.get(fact, set())
        if should - published:
            findings.lost[job_id].append(f"its {fact.__name__} was not published")
        if published - should:
            findings.doubled[job_id].append(f"there is another {fact.__name__} of it")
        for event_id in should:
            if effects.get(("event", event_id), 0) > 1:
                findings.doubled[job_id].append(f"its {fact.__name__} was written twice")
    if status.ended and str(cause.id) not in inbox:
        findings.wrong.append(f"{job_id} ended, and the inbox doesn't have its event")


def _check_objects(
    jobs: Collection[Mapping[str, Any]], uploads: Collection[str], keys: Collection[str], findings: Findings
) -> None:
    lying: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        lying[_upload_of(key)].add(key)
    for upload_id in lying.keys() - uploads:
        findings.wrong.append(f"orphans in S3: {', '.join(sorted(lying[upload_id]))}")
    for job in jobs:
        if job["status"] != JobStatus.COMPLETED or job["annotated_key"] is None:
            continue
        named = {job["annotated_key"], *job["mask_keys"].values()}
        found = lying.get(job["upload_id"], set())
        if named - found:
            findings.lost[job["id"]].append(f"not in S3: {', '.join(sorted(named - found))}")
        left = found - named - {photo_key(job["upload_id"])}
        if left:
            findings.wrong.append(f"left in S3 by {job['id']}: {', '.join(sorted(left))}")


def _upload_of(key: str) -> str:
    """The id in a key; the key itself if there is none, which makes it an orphan."""
    parts = key.split("/")
    try:
        return str(UUID(parts[1])) if annotated_key(parts[1]).startswith(f"{parts[0]}/") else key
    except (IndexError, ValueError):
        return key
