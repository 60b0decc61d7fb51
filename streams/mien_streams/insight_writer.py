"""Who writes insights: a port, and its plainest adapter, which needs nobody."""

from typing import Protocol

from mien_core.model.insights import Diary, Words
from mien_core.rules.insights.summary import summary


class InsightWriter(Protocol):
    """Says in words what a diary has."""

    async def write(self, diary: Diary) -> Words:
        """Write.

        Raises:
            Unavailable: whoever writes is away, full or too slow.
        """


class SummaryWriter:
    """Meets InsightWriter by fixed rules: the same diary always gives the same words."""

    async def write(self, diary: Diary) -> Words:
        """See InsightWriter."""
        return summary_words(diary)


def summary_words(diary: Diary) -> Words:
    """What the rules say of a diary; also where a language model has nothing to say that may be shown."""
    return Words(summary(diary), "summary", None)
