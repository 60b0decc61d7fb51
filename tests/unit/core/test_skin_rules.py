"""Score, chapter and conditions: laws that hold for every probability, and the contract's own words."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mien_core.errors import Rejected
from mien_core.model.face import Gate, Quality
from mien_core.model.skin import (
    CONDITIONS,
    SKIN_TYPES,
    Abstention,
    Condition,
    ConditionProbability,
    Interval,
    SkinMeasure,
    SkinMetrics,
    SkinReport,
    SkinType,
)
from mien_core.rules.skin import (
    DEDUCTIONS,
    conclusion_of,
    conditions_of,
    recommended_chapter,
    require_conclusion,
    skin_score,
)

SOME = st.dictionaries(st.sampled_from(CONDITIONS), st.floats(0, 1))
TYPES = st.sampled_from((*SKIN_TYPES, None))


def report(probabilities: Mapping[Condition, float], left_out: tuple[Condition, ...]) -> SkinReport:
    return SkinReport(
        regions=(),
        measures=(),
        probabilities=tuple(ConditionProbability(condition=c, probability=p) for c, p in probabilities.items()),
        abstained=tuple(Abstention(measure="pores", condition=c, reason="blur", advice="Focus.") for c in left_out),
        skin_type=None,
        metrics=SkinMetrics(radiance=None, moisture=None, texture=None, pores=None, dark_circles=None),
    )


@given(SOME)
def test_the_score_is_a_whole_number_from_0_to_100(probabilities: dict[Condition, float]) -> None:
    """Whatever the photo shows."""
    score = skin_score(probabilities)
    assert isinstance(score, int)
    assert 0 <= score <= 100


@given(SOME, st.sampled_from(CONDITIONS), st.floats(0, 1))
def test_more_of_a_condition_never_raises_the_score(
    probabilities: dict[Condition, float], condition: Condition, other: float
) -> None:
    """Monotone in each of the eight."""
    low, high = sorted([probabilities.get(condition, 0.0), other])
    assert skin_score({**probabilities, condition: high}) <= skin_score({**probabilities, condition: low})


@given(SOME)
def test_what_the_photo_cannot_show_deducts_nothing(probabilities: dict[Condition, float]) -> None:
    """Left out and certainly absent score alike."""
    absent: dict[Condition, float] = dict.fromkeys(CONDITIONS, 0.0)
    assert skin_score(probabilities) == skin_score({**absent, **probabilities})


@given(SOME)
def test_the_score_does_not_depend_on_the_order(probabilities: dict[Condition, float]) -> None:
    """The same probabilities in any order score alike."""
    assert skin_score(probabilities) == skin_score(dict(reversed(probabilities.items())))


def test_each_deduction_is_the_contracts() -> None:
    """A certain condition takes exactly its deduction off; all eight leave nothing."""
    for condition, deduction in DEDUCTIONS.items():
        assert skin_score({condition: 1.0}) == 100 - deduction
    assert skin_score(dict.fromkeys(CONDITIONS, 1.0)) == 0
    assert skin_score({}) == 100
    assert skin_score({"acne": 0.5, "dullness": 0.5}) == 87  # 100 - 12.5, cut, not rounded


@given(SOME)
def test_conditions_are_those_above_one_half(probabilities: dict[Condition, float]) -> None:
    """Exactly 0.5 isn't above it."""
    assert set(conditions_of(probabilities)) == {one for one, value in probabilities.items() if value > 0.5}
    assert conditions_of(dict.fromkeys(CONDITIONS, 0.5)) == ()


@pytest.mark.parametrize(
    ("chapter", "conditions", "types"),
    [
        (1, ["dehydration"], ["dry"]),
        (2, ["wrinkles"], ["wrinkly"]),
        (3, ["redness"], ["sensitive"]),
        (5, ["dullness", "hyperpigmentation"], []),
        (6, ["acne", "blackheads"], []),
    ],
)
def test_each_reason_alone_leads_to_its_chapter(
    chapter: int, conditions: list[Condition], types: list[SkinType]
) -> None:
    """The table of the contract, line by line."""
    for condition in conditions:
        assert recommended_chapter("normal", {condition: 0.51}) == chapter
        assert recommended_chapter("normal", {condition: 0.5}) in {4, 7}
    for skin_type in types:
        assert recommended_chapter(skin_type, {}) == chapter


# Earlier chapters win over later ones: the order is 1, 2, 3, 5, 6, then 7 or 4.
RANK = {1: 0, 2: 1, 3: 2, 5: 3, 6: 4, 7: 5, 4: 5}


@given(TYPES, SOME, st.sampled_from(CONDITIONS))
def test_one_condition_more_never_leads_to_a_later_chapter(
    skin_type: SkinType | None, probabilities: dict[Condition, float], condition: Condition
) -> None:
    """The first that applies wins, so what is added can only bring the chapter forward."""
    before = recommended_chapter(skin_type, probabilities)
    after = recommended_chapter(skin_type, {**probabilities, condition: 1.0})
    assert RANK[after] <= RANK[before]


def test_without_a_reason_the_score_decides() -> None:
    """Above 85: prevention; 85 and below: maintenance. Uneven texture has no chapter of its own."""
    assert recommended_chapter("normal", {}) == 7
    assert recommended_chapter(None, {}) == 7
    assert recommended_chapter("oily", {"uneven_texture": 0.9}) == 7  # 100 - 13.5, cut to 86
    assert recommended_chapter("combination", {"uneven_texture": 1.0}) == 4


def test_a_report_accounts_for_every_condition() -> None:
    """Each has a probability or an abstention, never both and never neither."""
    every: dict[Condition, float] = dict.fromkeys(CONDITIONS, 0.25)
    assert report(every, ()).abstained_conditions == ()
    rest: dict[Condition, float] = {one: 0.25 for one in CONDITIONS if one != "blackheads"}
    partly = report(rest, ("blackheads",))
    assert partly.abstained_conditions == ("blackheads",)
    assert partly.probability_of("blackheads") is None
    assert partly.probability_of("acne") == 0.25
    for probabilities, left_out in ((every, ("acne",)), (rest, ()), (rest, ("acne",))):
        with pytest.raises(ValidationError, match="each condition"):
            report(probabilities, left_out)  # type: ignore[arg-type]  # the loop widens the literals


def test_a_measures_value_lies_in_its_interval() -> None:
    """An interval that excludes its own value is a bug, not a report."""
    with pytest.raises(ValidationError, match="outside its interval"):
        SkinMeasure(
            name="spots",
            value=3,
            unit="per cent",
            interval=Interval(low=0, high=2),
            by_region=(),
            evidence=(),
            method="",
            proxy=False,
        )
    with pytest.raises(ValidationError, match="low end"):
        Interval(low=2, high=1)


def quality(*failed: str) -> Quality:
    """All gates that are named here fail, after one that passed."""
    passed = Gate(code="resolution", value=1080.0, threshold=480.0, passed=True)
    gates = [
        Gate(code=code, value=0.0, threshold=1.0, passed=False, advice=f"Do something about {code}.") for code in failed
    ]
    return Quality(passed=not failed, gates=(passed, *gates))


@given(SOME, TYPES)
def test_what_follows_from_a_report_is_what_follows_from_its_probabilities(
    probabilities: dict[Condition, float], skin_type: SkinType | None
) -> None:
    """Conditions, score and chapter are those of the rules; only of nothing nothing follows."""
    left_out = tuple(one for one in CONDITIONS if one not in probabilities)
    shown = report(probabilities, left_out).model_copy(update={"skin_type": skin_type})
    conclusion = conclusion_of(shown)
    if not probabilities:
        assert conclusion is None
        return
    assert conclusion is not None
    assert conclusion == require_conclusion(shown, quality("blur"))
    assert conclusion.conditions == conditions_of(probabilities)
    assert conclusion.skin_score == skin_score(probabilities)
    assert conclusion.recommended_chapter == recommended_chapter(skin_type, probabilities)


@pytest.mark.parametrize(
    ("failed", "code"),
    [
        (("blur", "underexposed"), "blur"),
        (("multiple_faces", "underexposed"), "underexposed"),
        (("multiple_faces",), "skin_not_visible"),
        ((), "skin_not_visible"),
    ],
)
def test_a_photo_that_shows_no_condition_is_refused_with_what_to_do(failed: tuple[str, ...], code: str) -> None:
    """The first failed gate that hides skin says why and what to do; without one it is the skin engine's advice."""
    with pytest.raises(Rejected) as refused:
        require_conclusion(report({}, CONDITIONS), quality(*failed))
    assert refused.value.code == code
    assert ("Focus." if code == "skin_not_visible" else f"Do something about {code}.") in refused.value.detail
