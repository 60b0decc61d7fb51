"""Certificates of erasures: one that is genuine is known, and every forgery is."""

import io
import json
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mien_core.canonical import canonical
from mien_core.certificate.__main__ import main
from mien_core.certificate.document import Audit, DeletedData, Link, SecondScan, Statement
from mien_core.certificate.keys import PublicKey, SigningKey
from mien_core.certificate.signing import ERASED, REQUESTED, signed, software, verified
from mien_core.errors import Rejected
from mien_core.model.audit import AuditRow
from mien_core.model.privacy import Person
from mien_core.rules.audit import ORIGIN, content, hash_of, written
from tests.makers import SIGNING_KEY

ANNA = Person("acme", "anna")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OTHER_KEY = SigningKey("6" * 64)


def bound(position: int, at: datetime, action: str, previous: bytes) -> Link:
    row = AuditRow(position, at, "acme", action, ANNA.pseudonym, previous, b"")
    return Link.of(replace(row, hash=hash_of(previous, content(row))))


def statement(apart: int = 1) -> Statement:
    """What is said of an erasure whose two rows of the audit log are so many positions apart."""
    requested = bound(1, NOON, REQUESTED, ORIGIN)
    previous = bytes.fromhex(requested.hash) if apart == 1 else bytes(31) + b"\x01"
    erased = bound(1 + apart, NOON + timedelta(seconds=3), ERASED, previous)
    return Statement(
        subject=ANNA.pseudonym,
        job_id="6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        requested_at=requested.at,
        erased_at=erased.at,
        deleted=DeletedData(rows={"uploads": 2, "jobs": 3}, objects=7),
        second_scan=SecondScan(at=written(NOON), tables=("jobs", "uploads")),
        audit=Audit(requested=requested, erased=erased),
        software=software(),
        key_id=SIGNING_KEY.public.id,
    )


def refused(text: str, key: PublicKey | None = None, person: Person | None = None) -> str:
    with pytest.raises(Rejected) as refusal:
        verified(text, key or SIGNING_KEY.public, person)
    return refusal.value.code


def changed(change: Callable[[dict[str, Any]], object], *, sign: bool = False) -> str:
    """A certificate with a change; signed anew with the key it names, as only who has it could."""
    said = json.loads(signed(statement(), SIGNING_KEY))
    change(said)
    if sign:
        del said["signature"]
        said["signature"] = SIGNING_KEY.sign(canonical(said)).hex()
    return canonical(said).decode()


@pytest.mark.parametrize("apart", [1, 5])
def test_a_genuine_one_says_what_it_said(apart: int) -> None:
    """Whatever spaces are between its parts, and in whichever order they come; also about whom it should be."""
    text = signed(statement(apart), SIGNING_KEY)
    certificate = verified(text, SIGNING_KEY.public, ANNA)
    assert certificate.model_dump(exclude={"signature"}) == statement(apart).model_dump()
    turned = dict(reversed(json.loads(text).items()))
    assert verified(json.dumps(turned, indent=4), SIGNING_KEY.public) == certificate


@pytest.mark.parametrize("seed", range(3))
def test_no_byte_can_be_changed(seed: int) -> None:
    """At each place, to some other byte: it is refused, or it is no text."""
    chance = random.Random(seed)  # noqa: S311 - the same bytes each time
    genuine = signed(statement(), SIGNING_KEY).encode()
    for place in range(len(genuine)):
        forged = bytearray(genuine)
        forged[place] ^= chance.randrange(1, 256)
        try:
            text = forged.decode()
        except UnicodeDecodeError:
            continue
        assert refused(text), place


def test_no_part_can_be_left_out_or_added() -> None:
    """Cut off anywhere, with a member too many, or with one twice, of which readers would differ."""
    text = signed(statement(), SIGNING_KEY)
    for end in range(0, len(text) - 1, 7):
        assert refused(text[:end]) == "certificate_malformed"
    assert refused(text + "x") == "certificate_malformed"
    assert refused(changed(lambda said: said.update(note="x"))) == "certificate_malformed"
    twice = text.replace('"deleted":', '"erasedAt":"2026-11-21T12:00:03.000000Z","deleted":')
    assert refused(twice) == "certificate_malformed"
    assert refused("[" * 100_000) == "certificate_malformed"


def test_a_changed_field_is_told_from_another_key() -> None:
    """Who changed something, who signed with their own key, and who asks with the wrong one read different words."""
    assert refused(changed(lambda said: said["deleted"].update(objects=8))) == "certificate_changed"
    assert refused(changed(lambda said: said["deleted"]["rows"].update(looks=1))) == "certificate_changed"
    genuine = signed(statement(), SIGNING_KEY)
    assert refused(genuine, OTHER_KEY.public) == "certificate_of_other_key"
    assert refused(signed(statement(), OTHER_KEY)) == "certificate_changed"
    assert refused(genuine, person=Person("acme", "eve")) == "certificate_of_other_user"


def relinked(said: dict[str, Any], which: str, **fields: object) -> None:
    """Change a row of the audit log, and give it the hash that it then has."""
    link = said["audit"][which]
    link.update(fields)
    row = {name: link[name] for name in ("action", "actor", "at", "position", "subject")}
    link["hash"] = hash_of(bytes.fromhex(link["previous"]), row).hex()


@pytest.mark.parametrize(
    "cut",
    [
        lambda said: said["audit"]["requested"].update(actor="eve"),
        lambda said: said["audit"]["erased"].update(previous="0" * 64),
        lambda said: relinked(said, "erased", previous="0" * 64),
        lambda said: relinked(said, "erased", position=1),
        lambda said: relinked(said, "requested", action=ERASED),
        lambda said: relinked(said, "erased", subject=Person("acme", "eve").pseudonym),
        lambda said: relinked(said, "requested", at="2026-11-21T13:00:00.000000Z"),
        lambda said: said.update(erasedAt="2026-11-21T12:00:04.000000Z"),
        lambda said: said.update(subject=Person("acme", "eve").pseudonym),
    ],
)
def test_a_cut_chain_is_seen_whoever_signed_it(cut: Callable[[dict[str, Any]], object]) -> None:
    """Even who has the key can't make rows of the audit log fit that don't."""
    assert refused(changed(cut, sign=True)) == "certificate_chain_cut"


def test_keys_are_read_as_they_are_written() -> None:
    """Both halves, in hex; a key made anew is nobody else's."""
    key = SigningKey.new()
    assert SigningKey(key.secret).public.id == key.public.id != SigningKey.new().public.id
    assert PublicKey(f"{key.public}\n").id == key.public.id
    for text in ("", "5" * 63, "x" * 64, "5" * 66):
        with pytest.raises(Rejected, match="malformed_key"):
            SigningKey(text)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run the command; what it ends with."""
    monkeypatch.setattr(sys, "argv", ["certificate", *arguments])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def test_the_command_tells_by_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """0 and what it says for a genuine one; why not for a forgery; 2 where it was asked wrongly."""
    file, public = tmp_path / "certificate.json", tmp_path / "key.pub"
    file.write_text(signed(statement(), SIGNING_KEY))
    public.write_text(f"{SIGNING_KEY.public}\n")
    asked = ("verify", str(file), "--key", str(public), "--tenant", "acme", "--user", "anna")
    assert run(monkeypatch, *asked) == 0
    told = capsys.readouterr().out
    assert "GENUINE" in told
    assert "5 rows, 7 objects" in told
    assert run(monkeypatch, "verify", str(file), "--key", str(public), "--tenant", "acme") == 2
    assert run(monkeypatch, "verify", str(file), "--key", "nonsense") == 2
    assert run(monkeypatch, "verify", str(tmp_path / "none"), "--key", str(public)) == 2
    assert "certificate_of_other_key" in str(run(monkeypatch, "verify", str(file), "--key", str(OTHER_KEY.public)))
    file.write_text(changed(lambda said: said["deleted"].update(objects=0)))
    assert "certificate_changed" in str(run(monkeypatch, *asked))
    file.write_bytes(b"\xff")
    assert "NOT GENUINE" in str(run(monkeypatch, *asked))


def test_the_command_makes_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A new one, and the public half of one that is there."""
    assert run(monkeypatch, "keys", "new") == 0
    made = dict(line.split() for line in capsys.readouterr().out.splitlines())
    monkeypatch.setattr(sys, "stdin", io.StringIO(made.pop("secret")))
    assert run(monkeypatch, "keys", "public") == 0
    assert dict(line.split() for line in capsys.readouterr().out.splitlines()) == made
    monkeypatch.setattr(sys, "stdin", io.StringIO("nonsense"))
    assert "malformed_key" in str(run(monkeypatch, "keys", "public"))
