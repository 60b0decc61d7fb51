"""Days as clients send them: ISO 8601, of which the JSON schema says exactly what is taken."""

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from mien_core.model.cycle import FIRST_DAY, LAST_DAY

_ORDINARY: Final = (
    r"(19|20)[0-9]{2}-("
    r"(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP: Final = r"((19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"
PATTERN: Final = f"^({_ORDINARY}|{_LEAP})(T{_TIME})?$"
_READ: Final = re.compile(PATTERN.removeprefix("^").removesuffix("$"))
_DAY_LENGTH: Final = len("2026-11-20")


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _READ.fullmatch(value):
        raise PydanticCustomError(
            "day",
            "Input should be a day from {first} to {last} in ISO 8601, such as 2026-11-20",
            {"first": str(FIRST_DAY), "last": str(LAST_DAY)},
        )
    return date.fromisoformat(value[:_DAY_LENGTH])


# Of a date-time the day is taken that it names, in whichever zone: it is the day on the user's own calendar.
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": PATTERN,
            "description": f"a day from {FIRST_DAY} to {LAST_DAY}; of a date-time the day that it names",
            "examples": ["2026-11-20"],
        }
    ),
]
