"""What people do with dead letters: send them on their way again, or drop them. Each deed is one transaction.

Whoever repeats a command, or crashes in the middle of one, finds a letter untouched or gone; so nothing is done twice.
"""

from collections.abc import Collection

from mien_core.errors import Conflict, Missing, Rejected
from mien_core.events import from_record
from mien_core.intake import DEADLINE_SECONDS
from mien_core.model.dead_letters import DeadLetter
from mien_core.model.platform import Job
from mien_core.ports.database import Database, Transaction
from mien_core.ports.messages import Record
from mien_core.rules.posters import cost_of
from mien_core.rules.work import check_redrive
from mien_streams.addressing import redriven, redrives
from mien_streams.relay import Relay

REDRIVEN = "dead_letter.redriven"
DROPPED = "dead_letter.dropped"


class DeadLetterDesk:
    """Where somebody decides about dead letters; the actor's name is in the audit log beside each decision.

    Args:
        database: where the letters are.
        handlers: the names of all who can take messages, the relay among them.
        actor: who decides.
    """

    def __init__(self, database: Database, handlers: Collection[str], actor: str) -> None:
        self._database = database
        self._handlers = handlers
        self._actor = actor

    async def redrive(self, letter_id: int) -> DeadLetter:
        """Send a letter's message on its way again, as its handler's first attempt; its job begins again.

        Raises:
            Missing: dead_letter_not_found.
            Conflict: handler_unknown, insufficient_credits, or as rules.work.check_redrive.
        """
        async with self._database.transaction() as transaction:
            letter = await _taken(transaction, letter_id)
            job = await transaction.jobs.lock(letter.job_id) if letter.job_id else None
            await self._check_redrive(transaction, letter, job)
            await transaction.outbox.add(await _record(transaction, letter))
            await self._close(transaction, letter, REDRIVEN)
            return letter

    async def check_redrive(self, letter_id: int) -> DeadLetter:
        """Say whether redrive would do it, changing nothing.

        Raises:
            Missing, Conflict: as redrive.
        """
        async with self._database.transaction() as transaction:
            letter = await _taken(transaction, letter_id)
            job = await transaction.jobs.get(letter.job_id) if letter.job_id else None
            await self._check_redrive(transaction, letter, job)
            return letter

    async def drop(self, letter_id: int) -> DeadLetter:
        """Forget a letter's message; its job stays as it is.

        Raises:
            Missing: dead_letter_not_found.
        """
        async with self._database.transaction() as transaction:
            letter = await _taken(transaction, letter_id)
            await self._close(transaction, letter, DROPPED)
            return letter

    async def check_drop(self, letter_id: int) -> DeadLetter:
        """Say whether drop would do it, changing nothing.

        Raises:
            Missing: dead_letter_not_found.
        """
        async with self._database.transaction() as transaction:
            return await _taken(transaction, letter_id)

    async def _check_redrive(self, transaction: Transaction, letter: DeadLetter, job: Job | None) -> None:
        if letter.handler not in self._handlers:
            raise Conflict("handler_unknown", f"Nobody takes messages as {letter.handler} any more. Drop the letter.")
        if letter.job_id is not None:
            upload = await transaction.uploads.get(job.upload_id) if job and job.upload_id else None
            check_redrive(job, upload, await transaction.now())
            if job is not None and cost_of(job.kind):
                await transaction.poster_accounts.check_reopening(job)

    async def _close(self, transaction: Transaction, letter: DeadLetter, action: str) -> None:
        await transaction.dead_letters.remove(letter.id)
        subject = f"{letter.id}: {letter.handler} {letter.topic}/{letter.partition}/{letter.offset} {letter.code}"
        job = f" job {letter.job_id}" if letter.job_id else ""
        await transaction.audit_log.add(self._actor, action, subject + job)


def no_such_letter() -> Missing:
    """What is said of an id that no letter has."""
    return Missing("dead_letter_not_found", "There is no such dead letter (any more). List them to see their ids.")


async def _taken(transaction: Transaction, letter_id: int) -> DeadLetter:
    letter = await transaction.dead_letters.lock(letter_id)
    if letter is None:
        raise no_such_letter()
    return letter


async def _record(transaction: Transaction, letter: DeadLetter) -> Record:
    """Have the letter's job begin again, if it has one, and give the record that asks for it."""
    redrive = redrives(letter.headers) + 1
    if letter.job_id is not None:
        redrive = (await transaction.jobs.reopen(letter.job_id, DEADLINE_SECONDS)).redrives
    try:
        event = from_record(letter.headers, letter.value)
    except Rejected:
        # what can't be understood is in nobody's inbox
        pass
    else:
        await transaction.inbox.forget(letter.handler, str(event.id))
    # what Kafka refused goes to whom it was meant for at first
    address = None if letter.handler == Relay.name else letter.handler
    return Record(letter.topic, letter.key, letter.value, redriven(letter.headers, redrive, address))
