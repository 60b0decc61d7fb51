"""The command dlq: what its arguments mean, what it prints, and how it ends."""

import argparse
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Missing, Unavailable
from mien_core.model.dead_letters import Selection
from mien_streams import dlq_arguments
from mien_streams.dlq_command import ALL_DONE, NOT_ALL_DONE, WRONG_USE, execute
from mien_streams.dlq_output import age
from tests.makers import new_dead_letter
from tests.unit.streams.stand_ins import some_id

HANDLERS = ("handler", "other")


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    dlq_arguments.register(parser.add_subparsers())
    return parser.parse_args(["dlq", *arguments])


async def with_letters(count: int, **fields: object) -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.transaction() as transaction:
        for offset in range(count):
            await transaction.dead_letters.add(new_dead_letter(offset=offset, **fields))
    return database


async def command(database: MemoryDatabase, *arguments: str) -> int:
    return await execute(parsed(*arguments), database, HANDLERS)


def test_criteria_are_understood() -> None:
    """Each narrows the selection; ages have units."""
    job_id = some_id()
    criteria = ("7", "9", "--handler", "h", "--topic", "t", "--code", "c", "--job", job_id, "--older-than", "2h")
    assert dlq_arguments.selection_of(parsed("list", *criteria)) == Selection(
        ids=(7, 9), handler="h", topic="t", code="c", job_id=job_id, older_than_seconds=7200
    )
    assert dlq_arguments.selection_of(parsed("list")) == Selection()


@pytest.mark.parametrize(("text", "each_second"), [("10/s", 10.0), ("30/m", 0.5), ("2.5", 2.5)])
def test_rates_are_understood(text: str, each_second: float) -> None:
    """By the second if nothing else is said."""
    assert parsed("redrive", "--rate", text).rate == each_second


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--older-than", "2"),
        ("list", "--limit", "0"),
        ("redrive", "--rate", "0/s"),
        ("redrive", "--rate", "fast"),
        ("show", "-1"),
        ("show", "x"),
        ("show", str(2**63)),
        ("show",),
        (),
    ],
)
def test_nonsense_is_told_before_anything_is_done(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit status for wrong use and a line that says what is wrong."""
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == WRONG_USE
    assert "error:" in capsys.readouterr().err


async def test_a_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A heading and a line each, oldest first, with what one decides by; details are cut; the whole is counted."""
    database = await with_letters(3, detail="KeyError: " + "x" * 100, attempts=4, headers=(("mien-redrive", b"2"),))
    assert await command(database, "list", "--limit", "2") == ALL_DONE
    heading, first, _, last = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ID", "AGE", "HANDLER", "CODE", "TRIES", "REDRIVES", "FROM", "JOB", "DETAIL"]
    assert first.split()[:8] == ["1", "0s", "handler", "malformed_event", "4", "2", "mien.test.v1/3/0", "-"]
    assert first.endswith("x…")
    assert last == "2 of 3 dead letters."
    assert await command(MemoryDatabase(), "list") == ALL_DONE
    assert capsys.readouterr().out == "0 dead letters.\n"


async def test_a_list_for_programs_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the messages' contents; that it isn't all is said beside it."""
    await command(await with_letters(2, value=b"SECRET"), "list", "--json", "--limit", "1")
    printed = capsys.readouterr()
    [letter] = json.loads(printed.out)
    assert (letter["id"], letter["code"], letter["job_id"]) == (1, "malformed_event", None)
    assert "SECRET" not in printed.out
    assert printed.err == "1 of 2 dead letters.\n"


async def test_one_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it came from, why it died, its headers and its value; malformed bytes don't hurt."""
    database = await with_letters(1, key=b"\xfe", value=b"\xff\x00x", headers=(("Cookie", b"c"), ("h", b"\xfd")))
    assert await command(database, "show", "1") == ALL_DONE
    page = capsys.readouterr().out
    for line in [
        "Dead letter 1",
        "  detail    It is no event.",
        "  from      mien.test.v1, partition 3, offset 0",
        "  key       0xfe",
        "    Cookie: (hidden)",
        "    h: 0xfd",
        "  value     3 bytes that are no text",
        "    00000000  ff 00 78                                         ..x",
    ]:
        assert f"{line}\n" in page
    await command(database, "show", "1", "--json")
    whole = json.loads(capsys.readouterr().out)
    assert (whole["key"], whole["value"]) == ("0xfe", {"size": 3, "kind": "bytes", "base64": "/wB4"})
    assert whole["headers"] == [["Cookie", "(hidden)"], ["h", "0xfd"]]
    with pytest.raises(Missing, match="dead_letter_not_found"):
        await command(database, "show", "2")


async def test_without_a_criterion_all_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A forgotten criterion must not redrive or drop everything."""
    database = await with_letters(2)
    for deed in ("redrive", "drop"):
        assert await command(database, deed) == WRONG_USE
        assert await command(database, deed, "--limit", "1") == WRONG_USE
    assert len(database.state.dead_letters) == 2
    assert "--all" in capsys.readouterr().err
    assert await command(database, "drop", "--all") == ALL_DONE
    assert not database.state.dead_letters


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Letters, outbox and audit log stay as they are."""
    database = await with_letters(2)
    before = vars(database.state.copy())
    assert await command(database, "redrive", "--all", "--dry-run") == ALL_DONE
    assert capsys.readouterr().out.splitlines() == [
        "would be redriven 1  handler  malformed_event",
        "would be redriven 2  handler  malformed_event",
        "2 would be redriven, 0 refused. Nothing was changed.",
    ]
    assert await command(database, "drop", "--all", "--dry-run") == ALL_DONE
    assert vars(database.state) == before


async def test_what_is_refused_is_named_and_the_rest_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status tells that not all was done; the actor is the one who was named."""
    database = await with_letters(2)
    async with database.transaction() as transaction:
        await transaction.dead_letters.add(new_dead_letter(handler="retired"))
    assert await command(database, "redrive", "--all", "--actor", "anna") == NOT_ALL_DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("refused 3  handler_unknown: ")
    assert lines[3] == "2 redriven, 1 refused."
    assert [letter.id for letter in database.state.dead_letters.values()] == [3]
    assert {actor for actor, _, _ in database.state.audit_log} == {"anna"}


async def test_a_named_letter_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, also where it was named twice; whoever repeats a command learns that it was done already."""
    assert await command(await with_letters(1), "redrive", "1", "7", "7") == NOT_ALL_DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("refused 7  dead_letter_not_found: ")
    assert lines[2] == "1 redriven, 1 refused."


async def test_programs_are_told_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What was done and what was refused, as one object."""
    database = await with_letters(1, handler="retired")
    assert await command(database, "redrive", "1", "--json") == NOT_ALL_DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["redriven"], told["refused"][0]["code"]) == ([], "handler_unknown")
    assert await command(database, "drop", "1", "--json") == ALL_DONE
    assert json.loads(capsys.readouterr().out) == {"dropped": [1], "refused": [], "dry_run": False, "selected": 1}


async def test_the_limit_takes_the_oldest(capsys: pytest.CaptureFixture[str]) -> None:
    """So that one can try one first."""
    database = await with_letters(3)
    await command(database, "redrive", "--handler", "handler", "--limit", "1")
    assert [letter.id for letter in database.state.dead_letters.values()] == [2, 3]
    assert capsys.readouterr().out.endswith("1 redriven, 0 refused.\n")


async def test_the_rate_is_kept() -> None:
    """Ten at 50 a second take nine fiftieths."""
    database = await with_letters(10)
    began = time.monotonic()
    await command(database, "redrive", "--all", "--rate", "50/s")
    assert time.monotonic() - began >= 9 / 50


async def test_whoever_waits_is_told_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the output, so that it can be piped on."""
    monkeypatch.setattr("mien_streams.dlq_report.PROGRESS_SECONDS", 0.0)
    await command(await with_letters(3), "drop", "--all", "--json")
    printed = capsys.readouterr()
    assert printed.err.splitlines() == ["1 of 3, 0 refused", "2 of 3, 0 refused"]
    assert json.loads(printed.out)["dropped"] == [1, 2, 3]


async def test_what_was_done_before_a_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database goes away in the middle: what is done is named, the rest counted, and can be done again."""
    database = await with_letters(3)
    transaction, begun = database.transaction, list[int]()

    def leaving() -> object:
        begun.append(1)
        if len(begun) == 2:
            raise Unavailable("database_unavailable", "It went away.")
        return transaction()

    monkeypatch.setattr(database, "transaction", leaving)
    with pytest.raises(Unavailable):
        await command(database, "redrive", "--all")
    assert capsys.readouterr().out.splitlines() == [
        "redriven 1  handler  malformed_event",
        "1 redriven, 0 refused, 2 not tried.",
    ]
    assert await command(database, "redrive", "--all") == ALL_DONE


def test_ages_are_told_in_their_largest_unit() -> None:
    """Never negative: two clocks may differ."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ages = [age(now - timedelta(seconds=seconds), now) for seconds in (-5, 0, 59, 60, 3599, 3600, 86_400 * 3)]
    assert ages == ["0s", "0s", "59s", "1m", "59m", "1h", "3d"]
