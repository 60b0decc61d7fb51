"""What Glow Cycle's predictions do: read the log, have the rule predict. No HTTP in here."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mien_core.model.cycle import Days
from mien_core.model.platform import Caller, require_user
from mien_core.ports.database import Database
from mien_core.rules.cycle.log import AHEAD, LoggedPeriod

if TYPE_CHECKING:
    from mien_core.rules.cycle.prediction import Prediction

# The 36 intervals that count take three years of usual cycles, and some of them lack a log.
LOOK_BACK: Final = timedelta(days=4 * 366)
# each day of four years: whoever logs more than that has logged days of the future
_MOST_DAYS: Final = 4 * 366 + 2


async def predict_cycle(database: Database, caller: Caller, user_id: str, today: date | None) -> "Prediction":
    """Predict a user's next period, ovulation and fertile days from what they logged.

    Args:
        database: where the log is.
        caller: who asks.
        user_id: whose log it is.
        today: the user's day, as far from the ends of time as mien_api.days has it; None means UTC's.

    Raises:
        Missing: user_not_found, if the caller may not act for that user.
    """
    require_user(caller, user_id)
    today = today or datetime.now(UTC).date()
    days = Days(today - LOOK_BACK, today + AHEAD)
    async with database.reading() as reading:
        logged = await reading.periods.of_user(caller.tenant, user_id, days=days, after=None, limit=_MOST_DAYS)
    log = [LoggedPeriod(period.date, period.cycle_length) for period in logged]
    return await asyncio.to_thread(_predicted, log, today)


def _predicted(log: Sequence[LoggedPeriod], today: date) -> "Prediction":
    from mien_core.rules.cycle.prediction import predict  # noqa: PLC0415 - a second of numpy and scipy

    return predict(log, today)
