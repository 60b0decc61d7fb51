"""`python -m mien_core`: `migrate` brings the database's schema up to date, `asyncapi` prints the events' contract."""

import argparse
import json
from importlib import metadata

from mien_core import asyncapi, migrations
from mien_core.settings import PostgresSettings, ServiceSettings, load


class MigrateSettings(ServiceSettings):
    """A migration needs the database alone."""

    postgres: PostgresSettings


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mien_core", description="The platform's shared kernel.")
    commands = parser.add_subparsers(dest="command", required=True)
    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.add_argument("--revision", default="head", help="the revision to go to (default: head)")
    commands.add_parser("asyncapi", help="print docs/asyncapi.json: the events and their topics")
    arguments = parser.parse_args()
    if arguments.command == "asyncapi":
        print(json.dumps(asyncapi.document(metadata.version("mien")), indent=2, ensure_ascii=False))
    else:
        _migrate(arguments.revision)


def _migrate(revision: str) -> None:
    settings = load(MigrateSettings)
    migrations.upgrade(settings.postgres.url.get_secret_value(), revision)
    print(f"The schema is at {revision}.")


if __name__ == "__main__":
    main()
