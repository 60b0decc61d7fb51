"""What posters cost, when two are the same, how they are called, what a provider's word does."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.model.platform import JobKind
from mien_core.model.posters import Design, Payment, PaymentStatus
from mien_core.rules.posters import cost_of, fingerprint_of, is_price_of, may_become, title_of

DESIGN = Design("The Sea", "A door.", "drama", "noir", "2:3", None)
PAYMENT = Payment(
    id=str(uuid4()),
    tenant="acme",
    user_id="anna",
    pack="starter",
    amount=499,
    currency="usd",
    credits=10,
    plan=None,
    status=PaymentStatus.PENDING,
    provider_reference=None,
    created_at=datetime(2026, 11, 20, tzinfo=UTC),
)


def test_posters_alone_cost_credits() -> None:
    """One each; every other work is free."""
    assert {kind for kind in JobKind if cost_of(kind)} == {JobKind.RENDER_POSTER}
    assert cost_of(JobKind.RENDER_POSTER) == 1


def test_every_part_of_a_design_counts() -> None:
    """The same design has the same fingerprint; whatever differs makes another, and nothing moves between parts."""
    assert fingerprint_of(DESIGN) == fingerprint_of(replace(DESIGN))
    others = [
        replace(DESIGN, title="The Lake"),
        replace(DESIGN, prompt="Another door."),
        replace(DESIGN, genre="war"),
        replace(DESIGN, style="neon"),
        replace(DESIGN, aspect="1:1"),
        replace(DESIGN, upload_id=str(uuid4())),
        replace(DESIGN, title="The SeaA", prompt=" door."),
    ]
    assert len(others) == len(fields(Design)) + 1
    assert len({fingerprint_of(one) for one in [DESIGN, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("a keeper finds a door beneath the sea, and knocks", "A Keeper Finds A Door"),
        ("Don't answer. It hears you.", "Don't Answer"),
        ("  the\tsea\n", "The Sea"),
        ("...", "..."),
        ("ein haus am see", "Ein Haus Am See"),
        ("x" * 300, "X" + "x" * 59),
        ("漢字の夜", "漢字の夜"),
    ],
)
def test_a_prompt_gives_a_title(prompt: str, title: str) -> None:
    """Its first sentence's first words."""
    assert title_of(prompt) == title


@given(st.text())
def test_any_prompt_gives_a_title(prompt: str) -> None:
    """Never an empty one, and never a long one."""
    assert 0 < len(title_of(prompt)) <= 60


@pytest.mark.parametrize(
    ("amount", "currency", "right"),
    [(499, "usd", True), (499, "USD", True), (499, "eur", False), (498, "usd", False), (500, "usd", False)],
)
def test_a_price_is_right_to_the_cent(amount: int, currency: str, *, right: bool) -> None:
    """In its own currency, however that is written."""
    assert is_price_of(PAYMENT, amount, currency) is right
    assert not is_price_of(PAYMENT, None, None)


@pytest.mark.parametrize(
    ("was", "word", "changes"),
    [
        ("pending", "completed", True),
        ("pending", "failed", True),
        ("failed", "completed", True),
        ("failed", "failed", False),
        ("completed", "completed", False),
        ("completed", "failed", False),
    ],
)
def test_a_word_that_comes_twice_or_late_changes_nothing(was: str, word: str, *, changes: bool) -> None:
    """What was paid stays paid; what failed may still be paid."""
    payment = replace(PAYMENT, status=PaymentStatus(was))
    assert may_become(payment, PaymentStatus(word)) is changes
