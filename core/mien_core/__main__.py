"""`python -m mien_core migrate`: brings the database's schema up to date."""

import argparse

from mien_core import migrations
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
    arguments = parser.parse_args()
    settings = load(MigrateSettings)
    migrations.upgrade(settings.postgres.url.get_secret_value(), arguments.revision)
    print(f"The schema is at {arguments.revision}.")


if __name__ == "__main__":
    main()
