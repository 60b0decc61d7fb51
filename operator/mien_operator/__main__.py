"""`python -m mien_operator crds`: writes the manifests that are made from the code."""

import argparse
from collections.abc import Sequence

from mien_operator import manifests
from mien_operator.kinds import KINDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mien_operator", description="The operator.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("crds", help="write the custom resources' definitions and the operator's role anew")
    parser.parse_args(arguments)
    changed = manifests.write(KINDS)
    print("\n".join(str(path) for path in changed) or "All manifests are as the code says.")


if __name__ == "__main__":
    main()
