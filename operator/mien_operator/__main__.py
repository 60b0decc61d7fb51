"""`python -m mien_operator`: looks after the resources; `crds` writes the manifests that are made from the code."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from mien_core import faults, telemetry
from mien_core.errors import MienError
from mien_core.settings import load
from mien_operator import app, manifests
from mien_operator.interruptions import NotLeading
from mien_operator.kinds import KINDS
from mien_operator.wiring import OperatorSettings, ProcessSettings, built

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mien_operator", description="The operator.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("crds", help="write the custom resources' definitions and the operator's role anew")
    if parser.parse_args(arguments).command == "crds":
        changed = manifests.write(KINDS, chart=manifests.CHART if manifests.CHART.exists() else None)
        print("\n".join(str(path) for path in changed) or "All manifests are as the code says.")
        return
    settings = load(ProcessSettings)
    sys.exit(serve(settings, built(settings)))


def serve(settings: OperatorSettings, operator: AbstractAsyncContextManager[app.Operator]) -> int:
    """Run an operator in this process until a signal; give the exit status."""
    faults.arm(settings.faults)
    telemetry.configure(settings.telemetry, service="operator")
    # its normal life is not ours to tell; that it doesn't hear signals is so by design
    logging.getLogger("kopf").setLevel(logging.ERROR)
    return asyncio.run(_run(operator))


async def _run(made: AbstractAsyncContextManager[app.Operator]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with made as operator:
            await app.run(operator, stopping)
    except NotLeading:
        return 1
    except MienError as error:
        logger.error("%s", error)  # noqa: TRY400 - it says all that there is to say
        return 1
    except Exception:
        logger.exception("A part broke, so the process ends")
        return 1
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    main()
