"""What the caller's tenant has called."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from mien_api.days import Day
from mien_api.routers.dependencies import UsageCaller, UsesHandlers
from mien_api.schemas import Schema
from mien_api.usage import MOST_DAYS, USUAL_DAYS, usage_of

router = APIRouter(tags=["Platform"])


class UsageDay(Schema):
    """What one operation came to on one day (UTC).

    errors are the calls that were answered with a status of 400 and above. jobs is how many jobs the calls asked for;
    each job counts once, with the call that asked for it first.
    """

    date: date
    route: str = Field(examples=["/analyze"])
    method: str = Field(examples=["POST"])
    calls: int = Field(ge=0)
    errors: int = Field(ge=0)
    jobs: int = Field(ge=0)


class UsageBody(Schema):
    """The days that were asked for, both included; operations that weren't called on a day have no entry."""

    from_: date = Field(alias="from")
    to: date
    days: list[UsageDay]


@router.get("/usage")
async def usage(
    caller: UsageCaller,
    handlers: UsesHandlers,
    from_: Annotated[
        Day | None, Query(alias="from", description=f"the first day; {USUAL_DAYS} days up to the last one if missing")
    ] = None,
    to: Annotated[Day | None, Query(description=f"the last day; today if missing; at most {MOST_DAYS} days")] = None,
) -> UsageBody:
    """Look at what your tenant has called, by day, route and method; the last seconds may lack."""
    first, last, counts = await usage_of(handlers.database, caller, from_, to)
    days = [
        UsageDay(
            date=count.of.day,
            route=count.of.route,
            method=count.of.method,
            calls=count.calls,
            errors=count.errors,
            jobs=count.jobs,
        )
        for count in counts
    ]
    return UsageBody(from_=first, to=last, days=days)
