"""The first act: a model is rolled out, the next one takes over, and a worse one doesn't."""

from mien_local.operator_demo import models
from mien_local.operator_demo.models import Artifact
from mien_local.operator_demo.people import Crowd, People
from mien_local.operator_demo.shell import Shell, expect
from mien_local.operator_demo.stage import Scene

_SECONDS = 420.0
_WATCH = "kubectl get modelrollout face --watch"
_DEGRADED = (
    "kubectl get modelrollout face "
    """--output jsonpath='{range .status.conditions[?(@.type=="Degraded")]}{.reason}: {.message}{"\\n"}{end}'"""
)
_STABLE = "kubectl get modelrollout face --output jsonpath='{.status.stableRevision}'"
_RUNS = (
    "kubectl get modelrollout face --output jsonpath='{range .status.analysisRuns[*]}"
    """step {.step}: {.outcome} after {.samples} samples of {.revision}{"\\n"}{end}'"""
)
_HISTORY = (
    "kubectl get modelrollout face --output jsonpath='{range .status.history[*]}"
    """{.at}  {.outcome}  {.revision}{"\\n"}{end}'"""
)


def play(shell: Shell, scene: Scene, people: People) -> None:
    """Show it.

    Raises:
        Unavailable: act_failed, when something else comes of it; cancelled.
    """
    shell.title("A model is rolled out")
    first = models.build(shell)
    shell.run(
        "kubectl patch --local --filename infra/samples/modelrollout-canary.yaml --type merge --output yaml \\\n"
        f"    --patch '{first.patch}' | kubectl apply --filename -"
    )
    _until(shell, "Healthy", first)
    shell.tell("From now on people have their photos analysed.")
    with people.coming() as crowd:
        _good(shell, crowd)
        _bad(shell, scene, crowd)
    shell.run(_HISTORY)
    expect(not crowd.failures, f"{len(crowd.failures)} photos were not analysed: {' '.join(crowd.failures[:1])}")
    shell.tell(f"{crowd.analysed} photos were analysed meanwhile, and none failed.")


def _good(shell: Shell, crowd: Crowd) -> None:
    shell.title("The next one is as good, and takes over")
    second = models.build(shell, " --description 'the same models, packed anew'")
    shell.run(f"kubectl patch modelrollout face --type merge --patch '{second.patch}'")
    _until(shell, "Healthy", second)
    shell.run(_RUNS)
    shell.run("kubectl events --for modelrollout/face")
    expect(crowd.analysed > 0, "Nobody's photo was analysed while the model was exchanged.")


def _bad(shell: Shell, scene: Scene, crowd: Crowd) -> None:
    shell.title("A worse one is given up")
    shell.tell("These models were exported carelessly: the mesh's weights are cut off instead of rounded.")
    models.write_careless(scene.stage.home.data / "careless")
    shell.export("CARELESS", str(scene.stage.home.data / "careless"))
    before = shell.ask(_STABLE)
    third = models.build(shell, " --models $CARELESS")
    shell.run(f"kubectl patch modelrollout face --type merge --patch '{third.patch}'")
    _until(shell, "Aborted", third)
    message = shell.run(_DEGRADED)
    expect(message.startswith("AnalysisFailed: "), f"It was given up for another reason: {message}")
    shell.run("kubectl events --for modelrollout/face --types Warning")
    expect(shell.ask(_STABLE) == before, "The worse revision answers.")
    expect(crowd.analysed > 0, "Nobody's photo was analysed.")


def _until(shell: Shell, phase: str, wanted: Artifact) -> None:
    """Watch until the rollout is at its end, and that is the expected one."""

    def seen(words: list[str]) -> bool:
        at = words[1] if len(words) > 1 else ""
        if at == "Healthy":
            return phase == "Healthy" and wanted.revision in words
        if at in {"Aborted", "Held", "Refused"}:
            expect(at == phase, f"The rollout is {at}: {shell.ask(_DEGRADED)}")
            return True
        return False

    shell.watch(_WATCH, seen, _SECONDS)
