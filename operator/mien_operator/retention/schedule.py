"""When runs begin: cron in a time zone, over changes of the clocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from mien_core.errors import Rejected

# How far back the last moment is looked for: not each minute of a year, where there is one each minute.
_LOOK_BACK: Final = tuple(timedelta(days=days) for days in (0.05, 1.5, 32, 370, 5 * 366, 60 * 366))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that can be met.

    Where clocks go forward, what would be in the gap comes right after it; where they go back, what is at a fixed hour
    comes once.
    """

    expression: str
    zone: ZoneInfo

    @classmethod
    def of(cls, expression: str, time_zone: str, now: datetime) -> Self:
        """Read one.

        Raises:
            Rejected: time_zone_unknown, schedule_invalid, schedule_never_met; the detail says what to correct.
        """
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            detail = f"There is no time zone {time_zone}. Name one of the IANA's, such as Europe/Berlin."
            raise Rejected("time_zone_unknown", detail) from error
        schedule = cls(expression, zone)
        try:
            schedule.following(now)
        except CronSimError as error:
            detail = f"The schedule {expression!r} can't be read ({error}). Write minute hour day month weekday."
            raise Rejected("schedule_invalid", detail) from error
        except StopIteration as error:
            detail = f"The schedule {expression!r} is never met. Name a day that exists."
            raise Rejected("schedule_never_met", detail) from error
        return schedule

    def following(self, moment: datetime) -> datetime:
        """The first moment after one.

        Raises:
            StopIteration: there is none in 50 years.
        """
        return next(self._after(moment))

    def latest(self, since: datetime, until: datetime) -> datetime | None:
        """The last moment after since and up to until; those before it were missed, and are not made up for."""
        for span in _LOOK_BACK:
            begin = max(since, until - span)
            found = list(takewhile(lambda moment: moment <= until, self._after(begin)))
            if found:
                return found[-1]
            if begin == since:
                break
        return None

    def _after(self, moment: datetime) -> Iterator[datetime]:
        """All moments after one, in order."""
        last = moment
        # Where clocks go back, what lies in the hour that comes twice is given as of the first time.
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            if (at := found.astimezone(UTC)) > last:
                last = at
                yield at
