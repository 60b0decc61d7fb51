"""The command line for people: starts, shows and stops a platform."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from mien_core.errors import MienError
from mien_local import demo, supervisor
from mien_local.analyse import analyse_photos, by_library, by_platform
from mien_local.doctor.command import main as doctor
from mien_local.home import Home
from mien_local.screen import LogFollower, Progress, show_last_words, show_ready, show_status
from mien_local.state import PlatformState

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the value is the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    home = Home.from_environment(os.environ)
    try:
        return int(options.run(console, home, options))
    except MienError as error:
        Console(stderr=True).print(f"{error.code}: {error.detail}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _up(console: Console, home: Home, options: argparse.Namespace) -> int:
    state = PlatformState.of_running(home)
    if state is not None and state.phase == "ready":
        console.print("It is up already." if state.is_healthy else "It is up, but not all of it: see `mien status`.")
        show_ready(console, home, state)
        return 0
    if options.foreground:
        return _up_in_foreground(console, home)
    if state is not None and state.phase == "starting":
        console.print("It starts already.")
        supervised = state.supervisor
        state = supervisor.follow(home, Progress(console), supervised.is_alive)
    else:
        state = supervisor.start_detached(home, Progress(console))
    show_ready(console, home, state)
    return 0


def _up_in_foreground(console: Console, home: Home) -> int:
    home.prepare()
    with supervisor.running(home, Progress(console)) as platform:
        state = PlatformState.read(home)
        if state is not None:
            show_ready(console, home, state)
        console.print()
        with LogFollower(console, home.logs) if console.is_terminal else nullcontext():
            platform.watch()
        console.print("stops the platform")
    return 0


def _down(console: Console, home: Home, _options: argparse.Namespace) -> int:
    stopped = supervisor.stop(home)
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "Nothing runs.")
    return 0


def _status(console: Console, home: Home, _options: argparse.Namespace) -> int:
    state = PlatformState.of_running(home)
    if state is None:
        show_last_words(console, home)
        return 1
    show_status(console, state)
    return 0 if state.is_healthy else 1


def _logs(console: Console, home: Home, options: argparse.Namespace) -> int:
    follower = LogFollower(console, home.logs, tuple(options.names), options.lines)
    if options.follow:
        with follower:
            follower.wait()
    return 0


def _analyse(console: Console, home: Home, options: argparse.Namespace) -> int:
    notes = Console(stderr=True, highlight=False)

    def note(line: str) -> None:
        notes.print(f"[dim]· {line}[/]")

    if options.platform:
        analyse = by_platform(demo.running_settings(home, os.environ), home.out, note)
    else:
        analyse = by_library(note)
    failures = analyse_photos(console, notes, options.photos, analyse, html=options.html, as_json=options.json)
    return 1 if failures else 0


def _demo(console: Console, home: Home, options: argparse.Namespace) -> int:
    demo.demonstrate(console, home, options.photo)
    return 0


def _token(_console: Console, home: Home, options: argparse.Namespace) -> int:
    from mien_local.parts.issuer import development_token  # noqa: PLC0415 - cryptography takes a while to import

    settings = demo.running_settings(home, {})
    # alone on its line and as it is, since it goes into a shell's variable
    print(development_token(home, settings, options.user, options.tenant, round(options.hours * 3600)))
    return 0


def _cluster(console: Console, home: Home, _options: argparse.Namespace) -> int:
    from mien_local.cluster.command import run  # noqa: PLC0415 - cryptography takes a while to import

    return run(console, home)


def _operator_demo(console: Console, home: Home, _options: argparse.Namespace) -> int:
    from mien_local.operator_demo.command import run  # noqa: PLC0415 - it imports OpenCV and cryptography

    return run(console, home)


def _doctor(_console: Console, _home: Home, _options: argparse.Namespace) -> int:
    return doctor([])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mien",
        description="The whole platform on this machine.",
        epilog="MIEN_HOME is the data folder (default: .mien). MIEN_POSTGRES__URL, MIEN_KAFKA__BROKERS, "
        "MIEN_S3__ENDPOINT and MIEN_SERVING__URL each replace a part by one that runs elsewhere.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    up = add("up", _up, "start the platform and keep it running")
    up.add_argument("--foreground", action="store_true", help="stay here, show the logs, stop it with Ctrl-C")
    add("down", _down, "stop the platform")
    add("status", _status, "show its parts; exit status 1 unless all are ready")
    logs = add("logs", _logs, "show the ends of the logs")
    logs.add_argument("names", nargs="*", metavar="NAME", help="of parts; none means all")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    logs.add_argument("-n", "--lines", type=int, default=20, help="how many lines of each (default: 20)")
    analyse = add("analyse", _analyse, "report on faces and skin in photos; needs no running platform")
    analyse.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    analyse.add_argument("--html", type=Path, metavar="FOLDER", help="write report pages and their pictures there")
    analyse.add_argument("--json", action="store_true", help="print each report as a line of JSON")
    analyse.add_argument("--platform", action="store_true", help="send the photos through the running platform")
    add("cluster", _cluster, "start a Kubernetes control plane with simulated nodes; Ctrl-C stops it, nothing stays")
    add(
        "operator-demo",
        _operator_demo,
        "start all of it and show the operator at work, as kubectl tells; nothing stays",
    )
    token = add("token", _token, "print a token of the platform's own issuer, for a user of a tenant")
    token.add_argument("--user", required=True, help="whom it speaks of; any name")
    token.add_argument("--tenant", default="development", help="to which the user belongs (default: development)")
    token.add_argument("--hours", type=float, default=12.0, help="until it expires (default: 12)")
    # for the help only: __main__ calls the doctor before anything is imported that may be broken
    add("doctor", _doctor, "say what is missing or broken and how to mend it (--json); exit status 1 if something is")
    demonstration = add("demo", _demo, "start a platform, analyse one photo, stop; nothing stays but the picture")
    demonstration.add_argument("--photo", type=Path, help="your own; without it a portrait in the public domain")
    return parser
