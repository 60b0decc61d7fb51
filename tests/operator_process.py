"""`python -m tests.operator_process FOLDER`: the operator as it is elsewhere, but for widgets in a folder."""

import sys
from pathlib import Path

from mien_core.settings import load
from mien_operator.__main__ import serve
from mien_operator.apply import AnyController
from mien_operator.wiring import OperatorSettings, Parts, built
from tests.widgets import WIDGET, WidgetController, World


def main() -> None:
    """Run it."""
    world = World(Path(sys.argv[1]))

    async def controller(_: Parts) -> AnyController:
        return WidgetController(world)

    settings = load(OperatorSettings)
    sys.exit(serve(settings, built(settings, {WIDGET.kind: controller}, (WIDGET,))))


if __name__ == "__main__":
    main()
