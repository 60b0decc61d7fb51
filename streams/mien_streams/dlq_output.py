"""How dead letters are printed: a table or a page for people, JSON for programs."""

from collections.abc import Sequence
from datetime import datetime

from mien_core.model.dead_letters import DeadLetter
from mien_core.model.platform import Job
from mien_streams import dlq_contents
from mien_streams.addressing import redrives

DETAIL_CHARACTERS = 60
_HEADINGS = ("ID", "AGE", "HANDLER", "CODE", "TRIES", "REDRIVES", "FROM", "JOB", "DETAIL")


def table(letters: Sequence[DeadLetter], now: datetime) -> str:
    """A line a letter, in columns."""
    rows = [_HEADINGS, *(_row(letter, now) for letter in letters)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def page(letter: DeadLetter, job: Job | None, now: datetime) -> str:
    """All that is known of one."""
    facts = {
        "since": f"{letter.created_at:%Y-%m-%d %H:%M:%S %Z}, {age(letter.created_at, now)} ago",
        "handler": letter.handler,
        "code": letter.code,
        "detail": letter.detail,
        "attempts": f"{letter.attempts}, redriven {redrives(letter.headers)} times before",
        "from": f"{letter.topic}, partition {letter.partition}, offset {letter.offset}",
        "job": "none" if job is None else _of_job(job),
        "trace": letter.traceparent or "none",
        "key": dlq_contents.readable(letter.key),
    }
    lines = [f"Dead letter {letter.id}"]
    lines += [f"  {name:<9} {dlq_contents.printable(fact)}" for name, fact in facts.items()]
    lines += ["  headers" if letter.headers else "  headers   none"]
    lines += [
        f"    {dlq_contents.printable(name)}: {dlq_contents.header(name, value)}" for name, value in letter.headers
    ]
    first, *rest = dlq_contents.drawn(letter.value).split("\n")
    return "\n".join([*lines, f"  value     {first}", *(f"    {line}" for line in rest)])


def summary(letter: DeadLetter) -> dict[str, object]:
    """A letter for programs, without what is in its message."""
    return {
        "id": letter.id,
        "created_at": letter.created_at.isoformat(),
        "handler": letter.handler,
        "code": letter.code,
        "detail": dlq_contents.printable(letter.detail),
        "attempts": letter.attempts,
        "redrives": redrives(letter.headers),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "job_id": letter.job_id,
        "traceparent": letter.traceparent,
    }


def whole(letter: DeadLetter, job: Job | None) -> dict[str, object]:
    """A letter for programs, with what is in its message and what became of its job."""
    return {
        **summary(letter),
        "job_status": None if job is None else job.status,
        "key": dlq_contents.readable(letter.key),
        "headers": [[name, dlq_contents.header(name, value)] for name, value in letter.headers],
        "value": dlq_contents.described(letter.value),
    }


def age(since: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit."""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 24 * 3600), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _row(letter: DeadLetter, now: datetime) -> tuple[str, ...]:
    detail = dlq_contents.printable(letter.detail)
    return (
        str(letter.id),
        age(letter.created_at, now),
        letter.handler,
        letter.code,
        str(letter.attempts),
        str(redrives(letter.headers)),
        f"{letter.topic}/{letter.partition}/{letter.offset}",
        letter.job_id or "-",
        detail if len(detail) <= DETAIL_CHARACTERS else f"{detail[: DETAIL_CHARACTERS - 1]}…",
    )


def _of_job(job: Job) -> str:
    why = f", {job.error.code}" if job.error else ""
    return f"{job.id}, {job.status}{why}"
