"""All checks, in the order in which a person would ask."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from mien_local import environment_file
from mien_local.doctor import health, installation, machine, remains
from mien_local.doctor.finding import Check, Finding, look
from mien_local.home import Home
from mien_local.replacements import own_addresses, replaced

_SECRET_WORDS = ("SECRET", "PASSWORD", "TOKEN", "API_KEY", "ACCESS_KEY")
_SHORTEST_SECRET = 6  # a shorter one would blacken words that are none


def examine(home: Home, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything, and say of each thing how it is; no text holds a secret."""
    settings = {**environment, **environment_file.read(home.environment_file)}
    provided = replaced(environment, own_addresses(home))
    running = _runs(home)
    checks: list[tuple[str, Check]] = [
        ("python", machine.python),
        ("tools", machine.tools),
        ("disk", lambda: machine.disk(home.root)),
        ("memory", lambda: machine.memory(running=running)),
        ("gpu", machine.gpu),
        ("packages", installation.packages),
        ("kafka's archives", installation.kafka),
        ("programs", installation.programs),
        ("state", lambda: remains.state(home)),
        ("leftovers", lambda: remains.leftovers(home)),
        ("ports", lambda: remains.ports(home)),
        ("secrets", lambda: remains.secrets(home)),
        ("external", lambda: health.external(provided)),
    ]
    if running:
        checks += [("parts", lambda: health.parts(home)), *health.asked(settings, provided, home)]
    hidden = _secrets(home, settings) | _secrets(home, environment)
    for name, check in checks:
        for finding in look(name, check):
            yield replace(finding, text=_hide(finding.text, hidden), mend=_hide(finding.mend, hidden))


def _runs(home: Home) -> bool:
    try:
        from mien_local.state import PlatformState  # noqa: PLC0415 - psutil may be missing
    except ImportError:
        return False
    return PlatformState.of_running(home) is not None


def _secrets(home: Home, settings: Mapping[str, str]) -> set[str]:
    folder = home.data / "secrets"
    found = {path.read_text().strip() for path in (folder.iterdir() if folder.is_dir() else ())}
    for name, value in settings.items():
        if any(word in name for word in _SECRET_WORDS):
            found.add(value)
        if "://" in value:
            found.add(_password(value))
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _hide(text: str, hidden: set[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "***")
    return text
