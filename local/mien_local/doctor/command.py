"""The command line of `mien doctor`."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict

from mien_local.doctor.examination import examine
from mien_local.doctor.finding import Finding, Level
from mien_local.home import Home

_MARKS: dict[Level, str] = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at everything and say it; 1 if something is broken."""
    parser = argparse.ArgumentParser(prog="mien doctor", description="Say what is broken and how to mend it.")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON array")
    options = parser.parse_args(arguments)
    findings = []
    for finding in examine(Home.from_environment(os.environ), os.environ):
        findings.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    levels = [finding.level for finding in findings]
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print(f"\n{len(levels)} looked at: {levels.count('warning')} warnings, {levels.count('broken')} broken")
    return 1 if "broken" in levels else 0


def _line(finding: Finding) -> str:
    mend = f"\n{'':>30}→ {finding.mend}" if finding.mend else ""
    text = finding.text.replace("\n", f"\n{'':>32}")
    return f"{_MARKS[finding.level]}  {finding.name:<20} {text}{mend}"
