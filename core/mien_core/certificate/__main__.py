"""`python -m mien_core.certificate`: `verify` checks a certificate of an erasure, `keys new` makes a signing key."""

import argparse
import sys
from pathlib import Path

from mien_core.certificate.document import SignedStatement
from mien_core.certificate.keys import PublicKey, SigningKey
from mien_core.certificate.signing import verified
from mien_core.errors import Rejected
from mien_core.model.privacy import Person


def main() -> None:
    """Run the command line; its status is 0 if all is well, 1 if the certificate isn't, 2 if it was asked wrongly."""
    parser = argparse.ArgumentParser(prog="python -m mien_core.certificate", description="Certificates of erasures.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="tell whether a certificate is what it was when it was signed")
    verify.add_argument("file", type=argparse.FileType("r", encoding="utf-8"), help="the certificate; - reads it here")
    verify.add_argument("--key", required=True, help="the public key, in hex, or a file with it")
    verify.add_argument("--tenant", help="with --user: whom it should be about")
    verify.add_argument("--user", help="with --tenant: whom it should be about")
    keys = commands.add_parser("keys", help="the keys that certificates are signed with")
    actions = keys.add_subparsers(dest="action", required=True)
    actions.add_parser("new", help="make a key: the secret for MIEN_ERASURE__SIGNING_KEY, and its public half")
    actions.add_parser("public", help="give the public half of a key that is read from standard input")
    arguments = parser.parse_args()
    if arguments.command == "keys":
        _keys(arguments.action)
        return
    if (arguments.tenant is None) != (arguments.user is None):
        parser.error("--tenant and --user go together")
    person = None if arguments.user is None else Person(arguments.tenant, arguments.user)
    try:
        key = PublicKey(_text_or_file(arguments.key))
    except Rejected as error:
        parser.error(f"--key: {error.detail}")
    try:
        certificate = verified(arguments.file.read(), key, person)
    except (Rejected, UnicodeDecodeError) as error:
        sys.exit(f"NOT GENUINE  {error}")
    print(_told(certificate))


def _keys(action: str) -> None:
    try:
        key = SigningKey.new() if action == "new" else SigningKey(sys.stdin.read())
    except Rejected as error:
        sys.exit(str(error))
    if action == "new":
        print(f"secret  {key.secret}")
    print(f"public  {key.public}")
    print(f"id      {key.public.id}")


def _text_or_file(value: str) -> str:
    path = Path(value)
    return path.read_text() if path.is_file() else value


def _told(certificate: SignedStatement) -> str:
    rows, links = certificate.deleted.rows, certificate.audit
    lines = [
        f"GENUINE  signed with the key {certificate.key_id}",
        f"subject      {certificate.subject}",
        f"requested    {certificate.requested_at} by {links.requested.actor}",
        f"erased       {certificate.erased_at}",
        f"deleted      {sum(rows.values())} rows, {certificate.deleted.objects} objects",
        *(f"             {count:>6} {table}" for table, count in sorted(rows.items())),
        f"second scan  {certificate.second_scan.at}: nothing in {len(certificate.second_scan.tables)} tables",
        f"audit log    rows {links.requested.position} and {links.erased.position}, hash {links.erased.hash}",
        f"software     {certificate.software.name} {certificate.software.version}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
