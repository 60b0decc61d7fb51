"""What is shown of a message: everything that helps, whatever its bytes are, and no secret and no photo."""

import json

import pytest

from mien_streams.dlq_contents import (
    DUMPED_BYTES,
    HIDDEN,
    SHOWN_CHARACTERS,
    described,
    drawn,
    header,
    printable,
    readable,
)

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


def test_json_is_laid_out() -> None:
    """As people read it."""
    assert drawn(b'{"a":{"b":[1,"x"]}}').split("\n") == [
        "19 bytes of JSON",
        "{",
        '  "a": {',
        '    "b": [',
        "      1,",
        '      "x"',
        "    ]",
        "  }",
        "}",
    ]
    assert described(b'{"a":1}') == {"size": 7, "kind": "json", "json": {"a": 1}}


def test_text_is_shown_line_by_line() -> None:
    """With whatever could move a cursor or turn the reading direction escaped."""
    assert drawn("a\x1b[2Jb\nüber\u202e".encode()) == "15 bytes of text\na\\x1b[2Jb\nüber\\u202e"
    assert described(b"a\x1b")["text"] == "a\x1b"


def test_bytes_that_are_no_text_are_dumped() -> None:
    """The first of them, with their place; programs get all of them."""
    value = b"\xff\x00 not an event" + bytes(range(256)) * 2
    first, *rows = drawn(value).split("\n")
    assert first == f"{len(value)} bytes that are no text, the first {DUMPED_BYTES}"
    assert len(rows) == DUMPED_BYTES / 16
    assert rows[0] == "00000000  ff 00 20 6e 6f 74 20 61 6e 20 65 76 65 6e 74 00  .. not an event."
    assert described(b"\xff") == {"size": 1, "kind": "bytes", "base64": "/w=="}


def test_nothing_is_called_empty() -> None:
    """A tombstone has no value."""
    assert drawn(b"") == "empty"
    assert described(b"") == {"size": 0, "kind": "empty"}


@pytest.mark.parametrize(
    "value",
    [
        JPEG,
        b"--boundary\r\n\r\n" + JPEG,
        b"\x89PNG\r\n\x1a\n...",
        b"RIFF\x24\x00\x00\x00WEBPVP8 ",
        b"/9j/4AAQSkZJRgABAQ",
        b'{"photo": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"}',
    ],
)
def test_a_photo_is_not_shown(value: bytes) -> None:
    """Neither to people nor to programs, also where it is wrapped up in something else."""
    assert drawn(value) == f"{len(value)} bytes: a picture is in it, which is not shown"
    assert set(described(value)) == {"size", "kind"}


def test_long_strings_in_json_are_left_out() -> None:
    """They are data, whatever it is of."""
    assert described(json.dumps({"data": "A" * 501}).encode())["json"] == {"data": "(501 characters, not shown)"}


def test_secrets_are_hidden_wherever_they_are() -> None:
    """By the names of headers and of JSON's members, in presigned URLs, in an address with a password."""
    url = "https://s3/uploads/x?X-Amz-Credential=AKIA1&X-Amz-Signature=abc123&X-Amz-Date=1"
    value = {"Authorization": "Bearer x", "list": [{"accessKey": "x", "url": url}], "sourceIPAddress": "10.0.0.1"}
    hidden_url = f"https://s3/uploads/x?X-Amz-Credential={HIDDEN}&X-Amz-Signature={HIDDEN}&X-Amz-Date=1"
    assert described(json.dumps(value).encode())["json"] == {
        "Authorization": HIDDEN,
        "list": [{"accessKey": HIDDEN, "url": hidden_url}],
        "sourceIPAddress": HIDDEN,
    }
    for shown in (drawn(url.encode()), drawn(json.dumps(value).encode()), str(described(url.encode()))):
        assert "abc123" not in shown
        assert "AKIA1" not in shown
        assert "Bearer" not in shown
    assert header("Set-Cookie", b"x") == HIDDEN
    assert header("ce_id", b"x") == "x"
    assert printable("postgresql://mien:pass@host/db") == f"postgresql://mien:{HIDDEN}@host/db"


def test_what_is_long_is_cut() -> None:
    """People are told where the rest is."""
    shown = drawn(json.dumps(list(range(5000))).encode())
    assert len(shown) < SHOWN_CHARACTERS + 50
    assert shown.endswith("\n… --json shows all of it")


@pytest.mark.parametrize("value", [b"[" * 100_000, b"9" * 5000, b'"\\ud800"', b"NaN", b'{"a":1', b"\xed\xa0\x80"])
def test_strange_values_are_shown_somehow(value: bytes) -> None:
    """Deep nesting, endless numbers, half characters: nothing breaks the command, and JSON can be written of it."""
    assert drawn(value).isprintable() or "\n" in drawn(value)
    json.dumps(described(value))
    drawn(value).encode()


def test_a_line_is_a_line() -> None:
    """Keys and headers stay on theirs; what is no text is in hexadecimal digits, cut where it is long."""
    assert readable(b"a\nb") == "a\\nb"
    assert readable(b"\xff\x00") == "0xff00"
    assert readable(b"\xff" * 1000) == f"0x{'ff' * DUMPED_BYTES}…"
