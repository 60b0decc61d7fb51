"""The third act: a user is erased, and the certificate is what it says; a forged one isn't."""

from mien_local.operator_demo.people import TENANT
from mien_local.operator_demo.shell import Shell, expect

_SECONDS = 300.0
_USER = "anna"
_VERIFY = f"python -m mien_core.certificate verify %s --key $KEY --tenant {TENANT} --user {_USER}"


def play(shell: Shell) -> None:
    """Show it; the shell knows MIEN_ERASURE__SIGNING_KEY.

    Raises:
        Unavailable: act_failed, when something else comes of it; cancelled.
    """
    shell.title("The hold is lifted, and the user is erased")
    shell.run("kubectl delete legalhold case-7")
    shell.run("kubectl apply --filename infra/samples/erasure-request.yaml")
    shell.watch("kubectl get erasurerequest anna --watch", _erased, _SECONDS)
    shell.run("kubectl events --for erasurerequest/anna")
    shell.run("kubectl get erasurerequest anna --output jsonpath='{.status.certificate.document}' > $HOME/anna.json")
    shell.tell("The public half of the key that the role erase-user signs with:")
    key = shell.run("python -m mien_core.certificate keys public <<< $MIEN_ERASURE__SIGNING_KEY")
    shell.export("KEY", key.split()[1])
    verified = shell.run(_VERIFY % "$HOME/anna.json")
    expect(verified.startswith("GENUINE"), f"The certificate is none: {verified}")
    shell.tell("And one in which a single digit is another:")
    shell.run("""sed 's/"erasedAt":"2/"erasedAt":"1/' $HOME/anna.json > $HOME/forged.json""")
    refused = shell.run(_VERIFY % "$HOME/forged.json", status=1)
    expect(refused.startswith("NOT GENUINE"), f"The forged certificate was not refused: {refused}")


def _erased(words: list[str]) -> bool:
    expect("Failed" not in words, "The erasure failed; see the role erase-user's log.")
    return "Erased" in words
