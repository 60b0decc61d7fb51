"""The audit log's chain: whatever is done to it afterwards is seen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.audit_command import anchor
from mien_core.errors import Rejected
from mien_core.model.audit import AuditRow
from mien_core.rules.audit import ORIGIN, checked, content, hash_of

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def chain(length: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for position in range(1, length + 1):
        previous = rows[-1].hash if rows else ORIGIN
        at = START + timedelta(seconds=position)
        row = AuditRow(position, at, "acme", "user.exported", f"user:{position}", previous, b"")
        rows.append(replace(row, hash=hash_of(previous, content(row))))
    return rows


def broken(rows: Sequence[AuditRow]) -> str:
    with pytest.raises(Rejected) as refusal:
        list(checked(rows))
    return refusal.value.code


def test_a_chain_is_passed_on_whole() -> None:
    """From its first row on, and from any other one whose predecessor was checked."""
    rows = chain(5)
    assert list(checked(rows)) == rows
    assert list(checked(rows[3:], rows[2])) == rows[3:]
    assert list(checked([])) == []


@given(length=st.integers(2, 8), data=st.data())
def test_whatever_is_done_to_one_row_is_seen(length: int, data: st.DataObject) -> None:
    """Changed, taken out, put in, swapped with its neighbour."""
    rows = chain(length)
    place = data.draw(st.integers(0, length - 2))
    row = rows[place]
    changes = (
        replace(row, actor="eve"),
        replace(row, action="user.erased"),
        replace(row, subject="user:0"),
        replace(row, at=row.at + timedelta(microseconds=1)),
    )
    for change in changes:
        assert broken([*rows[:place], change, *rows[place + 1 :]]) == "audit_row_changed"
        # with a hash that fits, the next one doesn't
        fitting = replace(change, hash=hash_of(change.previous, content(change)))
        assert broken([*rows[:place], fitting, *rows[place + 1 :]]) == "audit_chain_cut"
    assert broken([*rows[:place], *rows[place + 1 :]]) == "audit_chain_cut"
    assert broken([*rows[:place], row, *rows[place:]]) == "audit_chain_cut"
    assert broken([*rows[:place], rows[place + 1], row, *rows[place + 2 :]]) == "audit_chain_cut"


def test_what_was_noted_of_a_row_is_read_again() -> None:
    """A position, a colon, a hash; anything else is no such note."""
    assert anchor("7:" + "5f" * 32) == (7, b"\x5f" * 32)
    for text in ("", "7", "7:", "x:" + "5f" * 32, "7:" + "5f" * 31, "7:" + "xy" * 32):
        with pytest.raises(ValueError, match=r"digits|invalid literal|hexadecimal"):
            anchor(text)
