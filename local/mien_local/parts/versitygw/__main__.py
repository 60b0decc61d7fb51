"""`python -m mien_local.parts.versitygw` exits with 1 if the S3 server needs building and no Go is there."""

import sys

from mien_local.parts.versitygw import find_go, program

if __name__ == "__main__":
    sys.exit(0 if program().exists() or find_go() else 1)
