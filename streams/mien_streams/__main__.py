"""`python -m mien_streams --role ROLE`: runs roles; `… topics`: creates the topics; `… dlq`: dead letters."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mien_core import faults, telemetry
from mien_core.adapters.kafka import ensure_topics
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import MienError, Unavailable
from mien_core.settings import load
from mien_streams import app, dlq_arguments, dlq_command
from mien_streams.quiet import calm_libraries
from mien_streams.retry import backoff
from mien_streams.wiring import (
    ROLES,
    TOPICS,
    StreamsSettings,
    TopicsSettings,
    built,
    settings_class,
)

logger = logging.getLogger(__name__)

ALL = "all"
# as shells have it: 128 and SIGINT's number
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mien_streams", description="The stream processors.")
    parser.add_argument("--role", action="append", choices=[*ROLES, ALL], help="a role to run; may be repeated")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("topics", help="create the topics that don't exist yet")
    dlq_arguments.register(commands)
    parsed = parser.parse_args(arguments)
    if parsed.command == "topics":
        _create_topics(load(TopicsSettings))
        return
    if parsed.command == "dlq":
        sys.exit(_dead_letters(parsed))
    if not parsed.role:
        parser.error("name a --role, or one of the commands topics and dlq")
    names = set(ROLES if ALL in parsed.role else parsed.role)
    settings = load(settings_class(names))
    faults.arm(settings.faults)
    telemetry.configure(settings.telemetry, service="streams")
    calm_libraries()
    # what is loaded by now stays: the collector needn't look through it again while a job waits
    gc.collect()
    gc.freeze()
    sys.exit(asyncio.run(_run(names, settings)))


def _create_topics(settings: TopicsSettings) -> None:
    try:
        created = asyncio.run(ensure_topics(settings.kafka, TOPICS))
    except Unavailable as error:
        raise SystemExit(error.detail) from None
    print("\n".join(f"created {topic}" for topic in created) or "All topics exist.")


def _dead_letters(parsed: argparse.Namespace) -> int:
    """Do what the command dlq asks for; give the exit status."""
    settings = load(dlq_command.DeadLettersSettings)

    async def execute() -> int:
        async with PostgresDatabase(settings.postgres) as database:
            return await dlq_command.execute(parsed, database, ROLES)

    try:
        return asyncio.run(execute())
    except MienError as error:
        raise SystemExit(f"{error.code}: {error.detail}") from None
    except KeyboardInterrupt:
        return INTERRUPTED


async def _run(names: set[str], settings: StreamsSettings) -> int:
    """Run roles until a signal; give the exit status."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    ready_file = settings.streams.ready_file
    _forget(ready_file)
    try:
        if settings.streams.create_topics:
            await _topics_exist(settings, stopping)
        if stopping.is_set():
            return 0
        async with built(names, settings) as roles:
            await app.run(roles, stopping, lambda: _ready(sorted(names), ready_file))
    except Exception:
        logger.exception("A role broke, so the process ends")
        return 1
    finally:
        _forget(ready_file)
    logger.info("stopped")
    return 0


async def _topics_exist(settings: StreamsSettings, stopping: asyncio.Event) -> None:
    """Create missing topics; wait for Kafka as long as it takes."""
    for pause in backoff():
        try:
            await ensure_topics(settings.kafka, TOPICS)
        except Unavailable as error:
            logger.warning("Waiting for Kafka: %s", error)
        else:
            return
        try:
            async with asyncio.timeout(pause):
                await stopping.wait()
        except TimeoutError:
            continue
        return


def _ready(names: Sequence[str], ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.touch()
    logger.info("ready", extra={"roles": ",".join(names)})


def _forget(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
