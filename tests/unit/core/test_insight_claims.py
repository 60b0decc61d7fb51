"""Which words of a language model are shown to a user."""

import pytest

from mien_core.rules.insights.claims import LONGEST, Objection, objection


@pytest.mark.parametrize(
    "text",
    [
        "You wrote most of sleep and tea, and your energy rose in the second half.",
        "Your calm days came after long nights. Stay healthy, and be kind to yourself!",
        "In your ovulatory phase your skin's radiance was 62 of 100 - 5 more than before.",
        "You did meditation twice, secure and rested; treat yourself to more of it.",
        "Your diary says 'naïve', “quoted” and 🙂.",
    ],
)
def test_plain_words_about_the_diary_are_shown(text: str) -> None:
    """Also such as only resemble a claim."""
    assert objection(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "You may have PCOS.",
        "Your low energy could be a sign of anaemia.",
        "This is not a diagnosis, but you sound depressive. Depression is common.",
        "Your hormones explain it.",
        "You should take vitamin supplements.",
        "Ask for medication, you need it.",
        "Two pills a day would help you.",
        "These are your safe days.",
        "You are most fertile on the 14th.",
        "You ovulated on the 14th.",
        "You can't get pregnant now.",
        "Your period will start on Monday.",
        "YOUR CONTRACEPTION WORKS.",
    ],
)
def test_claims_are_not(text: str) -> None:
    """Illness, treatment, fertility, contraception and promises, in whatever case."""
    assert objection(text) is Objection.CLAIM


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", Objection.EMPTY),
        ("your " * LONGEST, Objection.TOO_LONG),
        ("See https://example.test, it helps you.", Objection.MARKUP),
        ("See www.example.test, it helps you.", Objection.MARKUP),
        ("[You](x)", Objection.MARKUP),
        ("<script>your()</script>", Objection.MARKUP),
        ("# Your month", Objection.MARKUP),
        ("Your **best** day", Objection.MARKUP),
        ("Your\nday", Objection.MARKUP),
        ("Your \u202eyad", Objection.MARKUP),
        ("Du warst ruhig.", Objection.NOT_ADDRESSED),
        ("The person was calm.", Objection.NOT_ADDRESSED),
    ],
)
def test_what_is_no_plain_english_to_the_user_is_not_shown(text: str, why: Objection) -> None:
    """Links, markup, other languages, and more than anybody asked for."""
    assert objection(text) is why
