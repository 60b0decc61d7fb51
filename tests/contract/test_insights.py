"""What every adapter keeps of insights: the same suite runs against Postgres and memory."""

from datetime import date
from uuid import uuid4

import pytest

from mien_core.model.insights import Insight, NewInsight, Span, Words, position_of
from mien_core.ports.database import Database

NOVEMBER = Span(date(2026, 11, 1), date(2026, 11, 30))
BY_RULES = Words("You slept well.", "summary", None)
BY_A_MODEL = Words("You \u200f\u05d0 slept 'well' \\ 100 %.", "bedrock", "anthropic.claude")


async def asked(database: Database, tenant: str = "acme", user_id: str = "anna") -> NewInsight:
    insight = NewInsight(str(uuid4()), tenant, user_id, NOVEMBER)
    async with database.transaction() as transaction:
        await transaction.insights.ask(insight)
    return insight


async def written(database: Database, insight: NewInsight, words: Words = BY_RULES) -> Insight | None:
    async with database.transaction() as transaction:
        await transaction.insights.write(insight.id, words)
    async with database.reading() as reading:
        return await reading.insights.get(insight.id)


async def test_what_is_asked_for_is_no_insight_yet(database: Database) -> None:
    """Who writes it finds it, and nobody else does; its user is known from then on."""
    insight = await asked(database)
    async with database.reading() as reading:
        assert await reading.insights.asked(insight.id) == insight
        assert await reading.insights.get(insight.id) is None
        assert await reading.insights.of_user("acme", "anna", after=None, limit=9) == []
        assert await reading.users.get("acme", "anna") is not None


@pytest.mark.parametrize("words", [BY_RULES, BY_A_MODEL])
async def test_words_come_back_as_they_were_written(database: Database, words: Words) -> None:
    """With who wrote them and of which days; what was asked for is still known."""
    insight = await asked(database)
    found = await written(database, insight, words)
    assert found is not None
    assert (found.id, found.tenant, found.user_id, found.span) == (insight.id, "acme", "anna", NOVEMBER)
    assert found.words == words
    async with database.reading() as reading:
        assert await reading.insights.asked(insight.id) == insight


async def test_what_was_saved_before_is_what_it_is(database: Database) -> None:
    """Asking again under the same id, and writing again, change nothing."""
    insight = await asked(database)
    first = await written(database, insight)
    async with database.transaction() as transaction:
        await transaction.insights.ask(NewInsight(insight.id, "acme", "anna", Span(date(2020, 1, 1), date(2020, 1, 2))))
    assert await written(database, insight, BY_A_MODEL) == first


@pytest.mark.parametrize("unknown", [str(uuid4()), "not-an-id", ""])
async def test_what_nobody_asked_for_is_not_written(database: Database, unknown: str) -> None:
    """Perhaps it was erased: nothing is found and nothing happens, also for what can't be an id."""
    async with database.transaction() as transaction:
        await transaction.insights.write(unknown, BY_RULES)
        assert await transaction.insights.asked(unknown) is None
        assert await transaction.insights.get(unknown) is None


async def test_lists_are_newest_first_and_go_on_anywhere(database: Database) -> None:
    """By when they were written; pages laid together are the user's whole list, in a tenant's own."""
    mine = [await asked(database) for _ in range(4)]
    others = [await asked(database, user_id="berta"), await asked(database, "other")]
    saved = [await written(database, one) for one in (*mine[:3][::-1], *others)]
    async with database.reading() as reading:
        whole = await reading.insights.of_user("acme", "anna", after=None, limit=9)
        paged = await reading.insights.of_user("acme", "anna", after=None, limit=2)
        paged += await reading.insights.of_user("acme", "anna", after=position_of(paged[-1]), limit=2)
    assert whole == paged == saved[:3][::-1]
    assert [one.id for one in whole] == [one.id for one in mine[:3]]
