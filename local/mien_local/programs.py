"""Which programs of others are built here; `python -m mien_local.programs` exits with 1 if one lacks its Go."""

import sys
from typing import Final

from mien_local.cluster.programs import CLUSTER_PROGRAMS
from mien_local.golang.toolchain import find_go
from mien_local.parts.versitygw import VERSITYGW

PROGRAMS: Final = (VERSITYGW, *CLUSTER_PROGRAMS)


def all_can_be_had() -> bool:
    """Whether each is built already, or can be with the Go of this machine."""
    missing = [program for program in PROGRAMS if program.is_here and not program.path.exists()]
    return all(find_go(module) is not None for module in {program.module for program in missing})


if __name__ == "__main__":
    sys.exit(0 if all_can_be_had() else 1)
