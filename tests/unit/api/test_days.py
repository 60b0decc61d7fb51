"""Days as clients send them."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mien_api.days import PATTERN, Day
from mien_core.model.cycle import FIRST_DAY, LAST_DAY

DAYS = TypeAdapter(Day)


@settings(deadline=None)
@given(st.dates())
def test_the_pattern_says_exactly_which_days_there_are(day: date) -> None:
    """Each day from the first to the last is taken as it is; no other one matches the pattern."""
    written = day.isoformat()
    assert bool(re.search(PATTERN, written)) == (FIRST_DAY <= day <= LAST_DAY)
    if FIRST_DAY <= day <= LAST_DAY:
        assert DAYS.validate_python(written) == day
        assert DAYS.dump_python(day, mode="json") == written
    else:
        with pytest.raises(ValidationError):
            DAYS.validate_python(written)


def test_every_29th_of_february_is_known() -> None:
    """It is a day in leap years alone."""
    for year in range(1900, 2100):
        leap = year % 4 == 0 and year != 1900
        assert bool(re.search(PATTERN, f"{year}-02-29")) == leap


@settings(deadline=None)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001 - the zone is the next line's
    st.none() | st.integers(-14 * 60, 14 * 60),
)
def test_of_a_date_time_the_day_is_taken_that_it_names(at: datetime, offset: int | None) -> None:
    """Whatever the zone: it is the day on the user's own calendar."""
    zone = None if offset is None else timezone(timedelta(minutes=offset))
    assert DAYS.validate_python(at.replace(tzinfo=zone).isoformat()) == at.date()
    assert DAYS.validate_python(at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")) == at.date()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "2026-02-30",
        "2026-13-01",
        "2026-1-1",
        "20261120",
        "2026-W47-5",
        "2026-11-20\n",
        "2026-11-20 10:00",
        "2026-11-20T",
        "2026-11-20T24:00",
        "2026-11-20T10:00+25:00",
        "1899-12-31",
        "2100-01-01",
        "0026-11-20",
        "12026-11-20",
        "+2026-11-20",
        "٢٠٢٦-11-20",
        "today",
        20261120,
        1.5,
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_day_is_refused(wrong: object) -> None:
    """Days that the calendar lacks, other ways to write them, and what is no text."""
    with pytest.raises(ValidationError):
        DAYS.validate_python(wrong)
