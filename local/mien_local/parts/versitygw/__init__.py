"""versitygw, the S3 server: its pins lie here, so that an installed wheel can build it."""

from pathlib import Path
from typing import Final

from mien_local.golang.program import GoProgram

VERSITYGW: Final = GoProgram(
    name="versitygw",
    what="the S3 server",
    module=Path(__file__).parent,
    package="github.com/versity/versitygw/cmd/versitygw",
    duration="about a minute",
)
