"""How a message is written down as a dead letter, whoever could not take it."""

from mien_core.model.dead_letters import NewDeadLetter
from mien_core.model.platform import JobError
from mien_core.ports.messages import Record
from mien_streams.addressing import attempt

# as producers of ours write it; strangers may leave it out
TRACEPARENT = "traceparent"


def dead_letter(  # noqa: PLR0917 - a message's place is three things
    handler: str, record: Record, partition: int, offset: int, why: JobError, job_id: str | None
) -> NewDeadLetter:
    """Write a message down with all that is known of it.

    Args:
        handler: who could not take it.
        record: the message as it came.
        partition: as in NewDeadLetter.
        offset: as in NewDeadLetter.
        why: the code that people select by, and the detail for whoever looks into it.
        job_id: the job whose work the message asks for, if it exists.
    """
    traceparents = [value for name, value in record.headers if name == TRACEPARENT]
    return NewDeadLetter(
        handler=handler,
        topic=record.topic,
        partition=partition,
        offset=offset,
        key=record.key,
        value=record.value,
        headers=tuple((_storable(name), value) for name, value in record.headers),
        code=why.code,
        detail=_storable(why.detail),
        attempts=attempt(record.headers),
        traceparent=_storable(traceparents[-1].decode(errors="backslashreplace")) if traceparents else None,
        job_id=job_id,
    )


def _storable(text: str) -> str:
    """Escape what a database's text can't hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
