"""`python -m mien_streams dlq`: does what its arguments say and tells what came of it."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection

from mien_core.errors import Conflict, Missing
from mien_core.model.dead_letters import EVERY_LETTER, DeadLetter, Selection
from mien_core.ports.database import Database
from mien_core.settings import PostgresSettings, ServiceSettings
from mien_streams import dlq_output
from mien_streams.dlq import DeadLetterDesk, no_such_letter
from mien_streams.dlq_arguments import selection_of
from mien_streams.dlq_report import Report, line

ALL_DONE, NOT_ALL_DONE, WRONG_USE = 0, 1, 2

_PAST = {"redrive": "redriven", "drop": "dropped"}


class DeadLettersSettings(ServiceSettings):
    """Dead letters and what goes with them are in the database alone."""

    postgres: PostgresSettings


async def execute(arguments: argparse.Namespace, database: Database, handlers: Collection[str]) -> int:
    """Do what the command line says and print what came of it; give the exit status.

    Args:
        arguments: as dlq_arguments has them.
        database: where the letters are.
        handlers: the names of all who can take messages.

    Raises:
        Unavailable: the database is away; what was printed until then is done.
        Missing: dead_letter_not_found, where there is none to show.
    """
    if arguments.action == "list":
        return await _list(arguments, database)
    if arguments.action == "show":
        return await _show(arguments, database)
    desk = DeadLetterDesk(database, handlers, arguments.actor)
    deeds = {
        ("redrive", False): desk.redrive,
        ("redrive", True): desk.check_redrive,
        ("drop", False): desk.drop,
        ("drop", True): desk.check_drop,
    }
    return await _do(arguments, database, deeds[arguments.action, arguments.dry_run])


async def _list(arguments: argparse.Namespace, database: Database) -> int:
    selection = selection_of(arguments)
    async with database.reading() as reading:
        letters = await reading.dead_letters.select(selection, arguments.limit)
        count = await reading.dead_letters.count(selection)
        now = await reading.now()
    shown = f"{len(letters):,} of " if len(letters) < count else ""
    counted = f"{shown}{count:,} dead letter{'' if count == 1 else 's'}."
    if arguments.json:
        line([dlq_output.summary(letter) for letter in letters])
        if shown:
            sys.stderr.write(f"{counted}\n")
        return ALL_DONE
    if letters:
        line(dlq_output.table(letters, now))
    line(counted)
    return ALL_DONE


async def _show(arguments: argparse.Namespace, database: Database) -> int:
    async with database.reading() as reading:
        letters = await reading.dead_letters.select(Selection(ids=(arguments.id,)))
        if not letters:
            raise no_such_letter()
        [letter] = letters
        job = await reading.jobs.get(letter.job_id) if letter.job_id else None
        now = await reading.now()
    line(dlq_output.whole(letter, job) if arguments.json else dlq_output.page(letter, job, now))
    return ALL_DONE


async def _do(arguments: argparse.Namespace, database: Database, deed: Callable[[int], Awaitable[DeadLetter]]) -> int:
    selection = selection_of(arguments)
    if selection == EVERY_LETTER and not arguments.all:
        sys.stderr.write("Say which: ids, a criterion, or --all.\n")
        return WRONG_USE
    async with database.reading() as reading:
        # what dies again meanwhile is not taken a second time: it has another id then
        ids = await reading.dead_letters.ids(selection, arguments.limit)
        known = await reading.dead_letters.ids(Selection(ids=tuple(arguments.ids)))
    # a named letter that isn't there is said, not passed over
    ids += [letter_id for letter_id in dict.fromkeys(arguments.ids) if letter_id not in known]
    report = Report(_PAST[arguments.action], len(ids), dry_run=arguments.dry_run, as_json=arguments.json)
    began = time.monotonic()
    try:
        for number, letter_id in enumerate(ids):
            if arguments.rate is not None:
                await asyncio.sleep(began + number / arguments.rate - time.monotonic())
            try:
                report.done(await deed(letter_id))
            except (Conflict, Missing) as error:
                report.refused(letter_id, error)
    finally:
        report.end()
    return ALL_DONE if report.all_done else NOT_ALL_DONE
