"""What somebody who handles many dead letters at once is told: each deed, how far it is, and what was not done."""

import json
import sys
import time

from mien_core.errors import MienError
from mien_core.model.dead_letters import DeadLetter

# how often somebody who waits is told how far it is
PROGRESS_SECONDS = 2.0


class Report:
    """Notes deeds as they happen: lines for people at once, or one JSON object for programs at the end.

    Args:
        deed: the past tense: redriven, dropped.
        total: how many there are to do.
        dry_run: nothing is done in truth.
        as_json: for programs.
    """

    def __init__(self, deed: str, total: int, *, dry_run: bool, as_json: bool) -> None:
        self._deed = deed
        self._total = total
        self._dry_run = dry_run
        self._as_json = as_json
        self._done: list[int] = []
        self._refused: list[tuple[int, MienError]] = []
        self._told_at = time.monotonic()

    @property
    def all_done(self) -> bool:
        """Tell whether there is nothing left."""
        return len(self._done) == self._total

    def done(self, letter: DeadLetter) -> None:
        """Note a deed."""
        self._done.append(letter.id)
        job = f"  job {letter.job_id}" if letter.job_id else ""
        self._say(f"{self._words} {letter.id}  {letter.handler}  {letter.code}{job}")
        self._progress()

    def refused(self, letter_id: int, error: MienError) -> None:
        """Note what could not be done, and why."""
        self._refused.append((letter_id, error))
        self._say(f"refused {letter_id}  {error}")
        self._progress()

    def end(self) -> None:
        """Sum up, also where not all was done."""
        if self._as_json:
            refused = [
                {"id": letter_id, "code": error.code, "detail": error.detail} for letter_id, error in self._refused
            ]
            told = {self._deed: self._done, "refused": refused, "dry_run": self._dry_run, "selected": self._total}
            line(json.dumps(told))
            return
        untouched = self._total - len(self._done) - len(self._refused)
        rest = f", {untouched:,} not tried" if untouched else ""
        nothing = " Nothing was changed." if self._dry_run else ""
        self._say(f"{len(self._done):,} {self._words}, {len(self._refused):,} refused{rest}.{nothing}")

    @property
    def _words(self) -> str:
        return f"would be {self._deed}" if self._dry_run else self._deed

    def _say(self, text: str) -> None:
        if not self._as_json:
            line(text)

    def _progress(self) -> None:
        tried = len(self._done) + len(self._refused)
        if time.monotonic() - self._told_at >= PROGRESS_SECONDS and tried < self._total:
            self._told_at = time.monotonic()
            sys.stderr.write(f"{tried:,} of {self._total:,}, {len(self._refused):,} refused\n")


def line(what: object) -> None:
    """Print text as it is, and anything else as JSON."""
    text = what if isinstance(what, str) else json.dumps(what, indent=2)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
