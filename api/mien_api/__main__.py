"""`python -m mien_api`: serves the REST ingress; `keys`, `products` and `problems` are for people at a console."""

import argparse
import asyncio
import contextlib
import gc
import resource
import sys
from pathlib import Path
from typing import Final

import uvicorn

from mien_api import keys, products
from mien_api.connections import Connection
from mien_api.contract.pages import markdown
from mien_api.wiring import ApiSettings, KeysSettings, build
from mien_core import faults
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import MienError
from mien_core.model.platform import ApiKey
from mien_core.settings import load
from mien_core.telemetry import configure


def main() -> None:
    """Run the command line."""
    arguments = _parser().parse_args()
    if arguments.command in COMMANDS:
        try:
            asyncio.run(COMMANDS[arguments.command](arguments))
        except MienError as error:
            sys.exit(f"{error.code}: {error.detail}")
    elif arguments.command == "problems":
        print(markdown(), end="")
    else:
        _serve()


GARBAGE_THRESHOLD: Final = 20_000


def _serve() -> None:
    settings = load(ApiSettings)
    faults.arm(settings.faults)
    configure(settings.telemetry, "api")
    app = build(settings)
    _raise_file_limit()
    # what is loaded by now stays: the collector needn't look through it again in the middle of a request
    gc.collect()
    gc.freeze()
    # Requests leave no cycles that are worth looking for at every seventh hundred of new objects, as is the default.
    gc.set_threshold(GARBAGE_THRESHOLD)
    uvicorn.run(
        app,
        host=settings.api.host,
        port=settings.api.port,
        loop="uvloop",
        http=Connection,
        # our middleware logs requests, with their ids; uvicorn's own lines go through our handlers
        access_log=False,
        log_config=None,
        # who a client is behind proxies is told by MIEN_API__TRUSTED_PROXIES; this would believe every local peer
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )


def _raise_file_limit() -> None:
    """Hold as many connections as the machine allows.

    Each is an open file, and the usual soft limit of 1024 is there for programs that use select().
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # some systems say that there is no limit, and have one all the same
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _keys(arguments: argparse.Namespace) -> None:
    async with PostgresDatabase(load(KeysSettings).postgres) as database:
        if arguments.action == "create":
            scopes = frozenset(arguments.scopes.split(","))
            key, secret = await keys.create(database, arguments.tenant, arguments.owner, scopes)
            print(f"Key {key.id} of tenant {key.tenant}. Its secret is shown this once:", file=sys.stderr)
            print(secret)
        elif arguments.action == "list":
            for key in await keys.list_keys(database, arguments.tenant):
                print(_line(key))
        else:
            print(_line(await keys.revoke(database, arguments.id)))


async def _products(arguments: argparse.Namespace) -> None:
    async with PostgresDatabase(load(KeysSettings).postgres) as database:
        if arguments.action == "load":
            catalogue = products.read(arguments.file)
            loaded = await products.load(database, catalogue, only_if_empty=arguments.if_empty)
            print(f"{len(catalogue)} products are in the catalogue." if loaded else "The catalogue was left as it is.")
        else:
            for one in await products.list_products(database):
                print(f"{one.product_id}  {one.category}  {one.shade.hex}  {one.finish}  {one.name}, {one.shade.name}")


COMMANDS = {"keys": _keys, "products": _products}


def _line(key: ApiKey) -> str:
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
    return f"{key.id}  {key.tenant}  {key.owner}  {','.join(sorted(key.scopes))}  {key.created_at:%Y-%m-%d}  {state}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mien_api", description="The REST ingress.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP (the default)")
    commands.add_parser("problems", help="print docs/problems.md: every code that a client may meet")
    actions = commands.add_parser("keys", help="manage API keys").add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a key and print its secret")
    create.add_argument("--tenant", required=True)
    create.add_argument("--owner", default="console", help="who will use it")
    create.add_argument("--scopes", default="*", help="comma-separated; * is all (default)")
    listing = actions.add_parser("list", help="list keys, never their secrets")
    listing.add_argument("--tenant", help="only this tenant's")
    revoke = actions.add_parser("revoke", help="make a key useless")
    revoke.add_argument("id")
    actions = commands.add_parser("products", help="manage the catalogue").add_subparsers(dest="action", required=True)
    loading = actions.add_parser("load", help="make a file the catalogue")
    loading.add_argument("file", nargs="?", type=Path, help="CSV with a header; left out: the samples")
    loading.add_argument("--if-empty", action="store_true", help="leave a catalogue that has products as it is")
    actions.add_parser("list", help="list the catalogue")
    return parser


if __name__ == "__main__":
    main()
