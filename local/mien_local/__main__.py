"""The `mien` command: the whole platform on this machine."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - `make doctor` starts this with whatever Python there is
    sys.exit(
        "mien needs Python 3.11 or 3.12, and this is " + sys.version.split()[0] + ": make setup PYTHON=/path/to/it"
    )


def main() -> int:
    """Run the command line; the value is the exit status."""
    # The doctor works where nothing else does, so nothing else is imported for it.
    if sys.argv[1:2] == ["doctor"]:
        from mien_local.doctor.command import main as examine  # noqa: PLC0415 - see above

        return examine(sys.argv[2:])
    from mien_local.command import main as run  # noqa: PLC0415 - see above

    return run()


if __name__ == "__main__":
    sys.exit(main())
