"""An insight as Glow Cycle's frontend asks for it and gets it, in its camelCase."""

from datetime import date, datetime

from pydantic import Field

from mien_api.cursors import Page
from mien_api.days import Day
from mien_api.schemas import JobBody, RequestSchema, Schema, UserId, job_body
from mien_core.model.insights import NOTICES, Engine, Insight
from mien_core.model.platform import JobHistory


class InsightRequest(RequestSchema):
    """Whose diary, and of which days, both included: at most 366. Without `to` until UTC's today; without `from` 30."""

    user_id: UserId
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None


class InsightBody(Schema):
    """What a user is told of their own diary. engine says who wrote it: a language model, or rules (summary)."""

    insight_id: str
    user_id: str
    text: str = Field(examples=["From 1 November 2026 to 30 November 2026 your diary has 12 journal entries."])
    engine: Engine
    model: str | None = Field(description="the language model; null for a summary")
    from_: date = Field(alias="from")
    to: date
    created_at: datetime
    notice: str


class InsightPage(Schema):
    """A part of a user's insights, newest first; nextCursor is null at its end."""

    insights: list[InsightBody]
    next_cursor: str | None


class InsightJobBody(JobBody):
    """A job as /jobs shows it; insightId is what the insight is going to have in the list."""

    insight_id: str


def insight_body(insight: Insight) -> InsightBody:
    """Show an insight."""
    return InsightBody(
        insight_id=insight.id,
        user_id=insight.user_id,
        text=insight.words.text,
        engine=insight.words.engine,
        model=insight.words.model,
        from_=insight.span.first,
        to=insight.span.last,
        created_at=insight.created_at,
        notice=NOTICES[insight.words.engine],
    )


def insight_page(page: Page[Insight]) -> InsightPage:
    """Show a part of a user's insights."""
    return InsightPage(insights=[insight_body(one) for one in page.things], next_cursor=page.next_cursor)


def insight_job_body(history: JobHistory) -> InsightJobBody:
    """Show a job that is under way."""
    return InsightJobBody(insight_id=history.job.id, **job_body(history).model_dump())
