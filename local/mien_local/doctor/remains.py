"""What lies in a platform's folder, and which processes are its own: state, ports, secrets, leftovers."""

import json
import stat
from collections.abc import Iterator

from mien_local.doctor.finding import Finding, broken, ok, warning
from mien_local.home import Home
from mien_local.ports import is_free


def state(home: Home) -> Iterator[Finding]:
    """What the last platform wrote is true."""
    from mien_local.state import PlatformState  # noqa: PLC0415 - psutil may be missing

    if not home.state_file.exists():
        yield ok("state", f"no platform runs in {home.root}")
        return
    known = PlatformState.read(home)
    if known is None:
        yield warning("state", f"{home.state_file} can't be read", "mien down")
    elif known.supervisor.is_alive():
        yield ok("state", f"the platform is {known.phase}, supervised by process {known.supervisor.pid}")
    elif known.error:
        yield warning("state", f"the last platform failed: {known.error.splitlines()[0]}", "mien up")
    else:
        yield warning("state", "the last platform's supervisor was killed", "mien down, or mien up")


def ports(home: Home) -> Iterator[Finding]:
    """The ports that this home keeps belong to its parts, or to nobody."""
    file = home.data / "ports.json"
    if not file.exists():
        yield ok("ports", "none chosen yet")
        return
    try:
        kept = {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (ValueError, AttributeError, TypeError):
        yield broken("ports", f"{file} can't be read", f"rm {file} (the next start chooses others)")
        return
    holders, own = _listeners(), _own_processes(home)
    strangers = {
        name: holders.get(port)
        for name, port in kept.items()
        if (holders[port] not in own if port in holders else not own and not is_free(port))
    }
    for name, pid in strangers.items():
        who = f"process {pid}" if pid else "another process"
        text = f"{kept[name]}, {name}'s, is taken by {who}"
        if own:
            yield broken(f"port {name}", text, f"end {who}, then mien down and mien up")
        else:
            yield warning(f"port {name}", text, f"end {who}; else the next start chooses another port")
    if not strangers:
        yield ok("ports", f"{len(kept)} chosen, none taken by others")


def secrets(home: Home) -> Iterator[Finding]:
    """Nobody but their owner can read them."""
    folder = home.data / "secrets"
    files = [*(folder.iterdir() if folder.is_dir() else ()), home.environment_file]
    readable = [path for path in files if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    empty = [path for path in files if path.parent == folder and not path.read_text().strip()]
    for path in readable:
        yield warning("secrets", f"{path} can be read by others", f"chmod 600 {path}")
    for path in empty:
        yield broken("secrets", f"{path} is empty", f"rm {path} and the data of that part, then mien up")
    if not readable and not empty:
        yield ok("secrets", "readable by their owner only")


def leftovers(home: Home) -> Iterator[Finding]:
    """No process of an earlier platform runs any more."""
    import psutil  # noqa: PLC0415 - a broken installation has none

    from mien_local.processes import HOME_MARK  # noqa: PLC0415 - likewise

    own = _own_processes(home)
    left = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(HOME_MARK) == str(home.root)
            if marked and process.pid not in own and process.status() != psutil.STATUS_ZOMBIE:
                left.append(f"{process.name()} ({process.pid})")
        except (psutil.Error, OSError):
            continue
    if left:
        yield warning("leftovers", f"of an earlier platform: {', '.join(left)}", "mien down, or mien up")
    else:
        yield ok("leftovers", "none")


def _own_processes(home: Home) -> set[int]:
    """The processes of the running platform; none if it doesn't run."""
    from mien_local.processes import Identity, family  # noqa: PLC0415 - psutil may be missing
    from mien_local.state import PlatformState  # noqa: PLC0415 - likewise

    running = PlatformState.of_running(home)
    if running is None:
        return set()
    records = [Identity.read(path) for path in home.run.glob("*.json") if path != home.state_file]
    families = [family(record) for record in (running.supervisor, *records) if record is not None]
    return {process.pid for members in families for process in members}


def _listeners() -> dict[int, int]:
    """Who listens on which port, as far as the system tells: port to process."""
    import psutil  # noqa: PLC0415 - a broken installation has none

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells it to root only
        return {}
    return {
        each.laddr.port: each.pid
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.pid is not None
    }
