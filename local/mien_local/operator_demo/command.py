"""`mien operator-demo`: starts everything, plays the acts, removes everything."""

import time
from collections.abc import Mapping

from rich.console import Console

from mien_core.errors import MienError, Unavailable
from mien_local.demo import own_home
from mien_local.home import Home
from mien_local.operator_demo import erasure, retention, rollouts
from mien_local.operator_demo.people import People
from mien_local.operator_demo.shell import Shell
from mien_local.operator_demo.stage import CHECKOUT, NAMESPACE, Scene
from mien_local.parts.part import Stage, tail
from mien_local.plan import Plan
from mien_local.screen import Progress
from mien_local.supervisor import running
from mien_local.wiring import erasure_settings


def run(console: Console, home: Home) -> int:
    """Show the operator at work, in a folder of its own that doesn't stay; only its logs do, if an act failed.

    Raises:
        MienError: a part could not be started; or act_failed, when an act came to something else.
        KeyboardInterrupt: the person has seen enough.
    """
    home.prepare()
    began = time.monotonic()
    with own_home(console, home) as own:
        try:
            _play(console, own)
        except Unavailable as error:
            if error.code == "cancelled":
                raise KeyboardInterrupt from error
            raise
    console.print(f"All acts held, in {time.monotonic() - began:.0f} s. Nothing of it runs any more.")
    return 0


def _play(console: Console, home: Home) -> None:
    scene: Scene | None = None

    def planned(stage: Stage) -> Plan:
        nonlocal scene
        scene = Scene(stage)
        return scene.plan

    with running(home, Progress(console), planned) as platform:
        assert scene is not None  # noqa: S101 - running() asked for its plan
        settings = {**platform.environment, **erasure_settings(scene.stage)}
        shell = Shell(console, scene.shell_environment(settings), CHECKOUT, scene.check)
        try:
            _begin(shell, scene, settings)
            rollouts.play(shell, scene, People(home, settings))
            retention.play(shell, settings)
            erasure.play(shell)
        except MienError as error:
            if error.code != "cancelled":
                shell.tell(f"The end of the operator's log:\n{tail(home.logs / 'operator.log')}")
            raise
        finally:
            console.print("\nstops everything", style="dim")
            scene.stop_operator()


def _begin(shell: Shell, scene: Scene, settings: Mapping[str, str]) -> None:
    shell.title("The operator is installed")
    shell.run("kubectl apply --server-side --filename operator/mien_operator/crds")
    shell.run(f"kubectl create namespace {NAMESPACE}")
    shell.run(f"kubectl config set-context --current --namespace {NAMESPACE}")
    shell.run("kubectl apply --filename operator/mien_operator/rbac/operator.yaml")
    shell.tell("Its key for the api:")
    key = shell.run("python -m mien_api keys create --tenant platform --owner operator --scopes operator", secret=True)
    scene.start_operator(settings["MIEN_URL"], key.splitlines()[-1])
    shell.tell("It runs as a process, under its ServiceAccount: python -m mien_operator")
    shell.run("kubectl wait lease/mien-operator --for create --timeout 60s")
    shell.run("kubectl auth can-i list secrets --as system:serviceaccount:mien:mien-operator", status=1)
