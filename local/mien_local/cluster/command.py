"""`mien cluster`: a control plane for a person."""

import shutil

from rich.console import Console

from mien_local.cluster.control_plane import ControlPlane
from mien_local.home import Home
from mien_local.parts.part import Stage
from mien_local.plan import Plan
from mien_local.screen import Progress
from mien_local.supervisor import running


def run(console: Console, home: Home) -> int:
    """Run one until Ctrl-C; a program that ends meanwhile is started again. Nothing stays, unless it failed: its logs.

    Raises:
        Conflict: already_running.
        MienError: a part could not be started.
    """
    own = Home(home.root / "cluster")

    def planned(stage: Stage) -> Plan:
        return ControlPlane(stage).plan

    with running(own, Progress(console), planned) as platform:
        console.print()
        # alone on its line and as it is, to be copied into a shell
        console.print(f"export KUBECONFIG={platform.environment['KUBECONFIG']}", soft_wrap=True)
        console.print(f"logs: {own.logs}   stop it with Ctrl-C", soft_wrap=True)
        platform.watch()
        console.print("stops the cluster")
    shutil.rmtree(own.root, ignore_errors=True)
    return 0
