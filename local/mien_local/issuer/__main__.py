"""`python -m mien_local.issuer`: publishes the key in a file until it is stopped."""

import argparse
import signal
import threading
from pathlib import Path

from mien_local.issuer.keys import kept_key
from mien_local.issuer.server import IssuerServer


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The development issuer; for one machine only.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True, help="file of its key; made if there is none")
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with IssuerServer([kept_key(options.key)], options.port) as server:
        print(f"issues tokens as {server.url}")
        stopped.wait()


if __name__ == "__main__":
    main()
