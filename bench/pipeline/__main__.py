"""`python -m bench.pipeline [NAME ...]`: all who take part in turns, or those named; their figures, then a table."""

import sys

from bench.pipeline import compare

if __name__ == "__main__":
    compare.run(sys.argv[1:])
