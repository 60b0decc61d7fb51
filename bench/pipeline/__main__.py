"""`python -m bench.pipeline [NAME ...]`: all who take part in turns, or those named; their figures, then a table."""

import signal
import sys

from bench.pipeline import compare


def _end(*_: object) -> None:
    # so that whatever was started is stopped
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    compare.run(sys.argv[1:])
