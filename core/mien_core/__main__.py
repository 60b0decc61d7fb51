"""`python -m mien_core`: `migrate` brings the database's schema up to date, `asyncapi` prints the events' contract.

`audit verify` tells whether the audit log is what it was.
"""

import argparse
import asyncio
import json
import sys
from importlib import metadata

from mien_core import asyncapi, audit_command, migrations
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import MienError
from mien_core.rules.audit import written
from mien_core.settings import PostgresSettings, ServiceSettings, load


class MigrateSettings(ServiceSettings):
    """A migration, and a look at the audit log, need the database alone."""

    postgres: PostgresSettings


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mien_core", description="The platform's shared kernel.")
    commands = parser.add_subparsers(dest="command", required=True)
    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.add_argument("--revision", default="head", help="the revision to go to (default: head)")
    commands.add_parser("asyncapi", help="print docs/asyncapi.json: the events and their topics")
    audit = commands.add_parser("audit", help="the record of who did what")
    verify = audit.add_subparsers(dest="action", required=True).add_parser(
        "verify", help="tell whether no row was changed, removed or put in since it was written"
    )
    verify.add_argument(
        "--noted",
        type=audit_command.anchor,
        action="append",
        default=[],
        metavar="POSITION:HASH",
        help="a row as an earlier verify, or a certificate, has it: it must still be there",
    )
    arguments = parser.parse_args()
    if arguments.command == "asyncapi":
        print(json.dumps(asyncapi.document(metadata.version("mien")), indent=2, ensure_ascii=False))
    elif arguments.command == "audit":
        asyncio.run(_verify(dict(arguments.noted)))
    else:
        _migrate(arguments.revision)


def _migrate(revision: str) -> None:
    settings = load(MigrateSettings)
    migrations.upgrade(settings.postgres.url.get_secret_value(), revision)
    print(f"The schema is at {revision}.")


async def _verify(noted: dict[int, bytes]) -> None:
    settings = load(MigrateSettings)
    async with PostgresDatabase(settings.postgres) as database:
        try:
            newest = await audit_command.verify(database, noted)
        except MienError as error:
            sys.exit(f"BROKEN  {error}")
    if newest is None:
        print("WHOLE  there is no row yet")
    else:
        print(f"WHOLE  {newest.position} rows, the newest of {written(newest.at)}")
        print(f"note   {newest.position}:{newest.hash.hex()}")


if __name__ == "__main__":
    main()
