"""The catalogue of problems as pages: docs/problems.md for who reads the code, /api/problems for who met a problem."""

from html import escape
from typing import Final

from mien_api.contract.catalogue import GROUPS, PATH, Entry

_INTRODUCTION: Final = (
    "Every error of the API is `application/problem+json` (RFC 9457). Programs go by `code`, which never changes; "
    "people read `detail`, which says what to do in this very case. `request_id` finds it in the platform's log. "
    "A job that failed has a code of the same list in `error`."
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "dt{font-family:ui-monospace,monospace;font-weight:600;margin-top:1rem}dt span{font-weight:400;color:#666}"
    "dd{margin:0}:target{background:#fff3bf}"
)


def markdown() -> str:
    """Write the page of the documentation, as `python -m mien_api problems` prints it."""
    anchor = (
        f"`type` is where a running platform shows this page, with the code as its anchor: `{PATH}#no_face`. "
        "`python -m mien_api problems` writes it."
    )
    lines = ["# Problems", "", _INTRODUCTION, "", anchor]
    for group, entries in GROUPS.items():
        lines += ["", f"## {group}", "", "| Code | Status | What it means | What to do |", "| --- | --- | --- | --- |"]
        lines += [_row(code, entry) for code, entry in entries.items()]
    return "\n".join(lines) + "\n"


def html() -> str:
    """Write the page that a running platform shows."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Problems - mien</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Problems</h1><p>{escape(_INTRODUCTION).replace('`', '')}</p>"
    )
    parts = [head]
    for group, entries in GROUPS.items():
        terms = "".join(_term(code, entry) for code, entry in entries.items())
        parts.append(f"<h2>{escape(group)}</h2><dl>{terms}</dl>")
    return "".join([*parts, "</body></html>"])


def _row(code: str, entry: Entry) -> str:
    return f'| <a id="{code}"></a>`{code}` | {entry.status.value} | {entry.meaning} | {entry.remedy} |'


def _term(code: str, entry: Entry) -> str:
    status = f"{entry.status.value} {entry.status.phrase}"
    return (
        f'<div id="{code}"><dt>{code} <span>{escape(status)}</span></dt>'
        f"<dd>{escape(entry.meaning)} {escape(entry.remedy)}</dd></div>"
    )
