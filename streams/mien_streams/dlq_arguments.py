"""How `python -m mien_streams dlq` is told what to do."""

import argparse
import getpass
import os
import re
from typing import Any

from mien_core.model.dead_letters import Selection

LIST_LIMIT = 50
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
# the database's ids are 64 bits wide
_LARGEST_ID = 2**63 - 1


def register(commands: Any) -> None:
    """Add the command and its four actions to a parser's commands."""
    dlq = commands.add_parser("dlq", help="look at dead letters, send them on their way again, drop them")
    actions = dlq.add_subparsers(dest="action", required=True)

    listing = actions.add_parser("list", help="list dead letters, oldest first")
    _add_criteria(listing)
    listing.add_argument("--limit", type=_positive, default=LIST_LIMIT, help=f"at most so many (default: {LIST_LIMIT})")

    show = actions.add_parser("show", help="show all that is known of one")
    show.add_argument("id", type=_letter_id)

    redrive = actions.add_parser("redrive", help="send messages to their handlers again; their jobs begin again")
    drop = actions.add_parser("drop", help="forget messages; their jobs stay failed")
    for deed in (redrive, drop):
        _add_criteria(deed)
        deed.add_argument("--all", action="store_true", help="every letter, where no criterion is given")
        deed.add_argument("--limit", type=_positive, help="at most so many, oldest first")
        deed.add_argument("--rate", type=_rate, metavar="N/s", help="no faster than this; also N/m")
        deed.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        deed.add_argument(
            "--actor", default=_login(), help="whose deed it is, for the audit log (default: %(default)s)"
        )
    for action in (listing, show, redrive, drop):
        action.add_argument("--json", action="store_true", help="for programs")


def selection_of(arguments: argparse.Namespace) -> Selection:
    """The letters that the command line means."""
    return Selection(
        ids=tuple(arguments.ids) or None,
        handler=arguments.handler,
        topic=arguments.topic,
        code=arguments.code,
        job_id=arguments.job,
        older_than_seconds=arguments.older_than,
    )


def _add_criteria(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=_letter_id, metavar="id", help="these; all criteria must be met")
    parser.add_argument("--handler", help="whose message it was, e.g. analyse-face")
    parser.add_argument("--topic", help="where it lay")
    parser.add_argument("--code", help="why it died, e.g. internal_error")
    parser.add_argument("--job", help="the id of the job that asked for it")
    parser.add_argument("--older-than", type=_seconds, metavar="AGE", help="e.g. 30s, 10m, 2h, 7d")


def _letter_id(text: str) -> int:
    number = _positive(text)
    if number > _LARGEST_ID:
        raise argparse.ArgumentTypeError(f"{text} is larger than any id")
    return number


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age like 30s, 10m, 2h or 7d")
    return float(int(match[1]) * _UNITS[match[2]])


def _rate(text: str) -> float:
    """Deeds a second."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(?:/([sm]))?", text, re.ASCII)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate like 10/s or 30/m")
    return float(match[1]) / _UNITS[match[2] or "s"]


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # a container's user often has no name
        return f"uid {os.getuid()}"
