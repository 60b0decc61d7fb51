"""The face report on a terminal."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from mien_local import report

ANALYSIS: dict[str, Any] = {
    "uploadId": "u",
    "jobId": "j",
    "status": "completed",
    "modelRevision": "face@sha256:abc",
    "face": {
        "boundingBox": {"left": 0.31, "top": 0.12, "width": 0.34, "height": 0.42},
        "confidence": 0.98,
        "faceCount": 1,
        "landmarks": [{"x": 0.47, "y": 0.31, "z": -0.02}] * 468,
        "pose": {"yaw": 3.1, "pitch": -2.0, "roll": 0.4},
        "quality": {
            "passed": False,
            "gates": [
                {"code": "blur", "value": 212.0, "threshold": 60.0, "passed": True, "advice": None},
                {
                    "code": "underexposed",
                    "value": 12.5,
                    "threshold": 35.0,
                    "passed": False,
                    "advice": "Turn on [bold] light.",
                },
            ],
        },
    },
    "tone": {"ita": 33.2, "class": "very_light", "monk": {"tone": 4, "deltaE": 2.1}, "undertone": "warm"},
    "skin": {
        "skinType": "dry",
        "conditions": ["dehydration"],
        "probabilities": {"acne": 0.25, "dehydration": 0.75},
        "abstained": ["blackheads", "wrinkles"],
        "skinScore": 83,
        "recommendedChapter": 1,
    },
    "notice": "An appearance measure, not a diagnosis.",
}


def shown(analysis: dict[str, Any], *, colour: bool = False, picture: Path | None = None) -> str:
    output = io.StringIO()
    system = "truecolor" if colour else None
    console = Console(file=output, width=110, force_terminal=colour, color_system=system)  # type: ignore[arg-type]  # rich's own literal type
    report.show(console, analysis, {"outbox": 1.25, "serving": 180.0, "serving.mesh": 6.5}, {"PUT": 0.0093}, picture)
    return output.getvalue()


def test_everything_that_was_measured_can_be_read() -> None:
    """Face, pose, gates with value, threshold and advice, tone, revision, hops and calls all stand in the report."""
    text = shown(ANALYSIS, picture=Path("/somewhere/me-annotated.png"))
    for expected in (
        "face@sha256:abc",
        "confidence 0.98",
        "468 landmarks",
        "31% from the left",
        "yaw +3.1°",
        "blur",
        "212",
        "12.50",
        "35.00",
        "Turn on [bold] light.",
        "Monk 4 of 10",
        "very light",
        "warm undertone",
        "outbox",
        "1.2",
        "PUT",
        "9.3",
        "/somewhere/me-annotated.png",
        "not a diagnosis",
    ):
        assert expected in text


def test_a_failed_gate_looks_different_from_a_passed_one() -> None:
    """Each gate has a mark of its own, and the title says that the photo could be better."""
    lines = shown(ANALYSIS).splitlines()
    assert "✔" in next(line for line in lines if "blur" in line)
    assert "✘" in next(line for line in lines if "underexposed" in line)
    assert any("could be better" in line for line in lines)


def test_the_swatch_has_the_colour_of_the_monk_tone() -> None:
    """Monk tone 4 is #eadaba: the background of the swatch."""
    assert "48;2;234;218;186m" in shown(ANALYSIS, colour=True)


def test_the_report_says_so_when_the_photo_has_several_faces() -> None:
    """Who reads it knows that the largest face was chosen."""
    several = {**ANALYSIS, "face": {**ANALYSIS["face"], "faceCount": 3}}
    assert "the largest of 3" in shown(several)
    assert "the largest" not in shown(ANALYSIS)


def test_a_tone_that_could_not_be_measured_is_no_tone() -> None:
    """Null is shown as not measured, not as a number."""
    text = shown({**ANALYSIS, "tone": None})
    assert "doesn't show it" in text
    assert "Monk" not in text


def test_hops_inside_a_hop_stand_below_it() -> None:
    """serving.mesh is a part of serving, and is shown as one."""
    lines = shown(ANALYSIS).splitlines()
    inner = next(line for line in lines if "mesh" in line)
    outer = next(line for line in lines if "serving" in line)
    assert inner.index("mesh") > outer.index("serving")
    assert "serving.mesh" not in inner


def test_the_skin_can_be_read_from_the_platforms_answer() -> None:
    """Type, score and what it rests on, chapter by name, the likeliest condition first, what wasn't judged."""
    text = shown(ANALYSIS)
    for expected in ("dry", "83 of 100, from 2 of 4 conditions", "1 · Hydration", "75%", "25%"):
        assert expected in text
    lines = text.splitlines()
    conditions = [line for line in lines if "%" in line and "│" in line.strip("│ ")]
    assert "dryness" in conditions[0]
    assert "acne" in conditions[1]
    assert "not judged: the photo doesn't show it" in next(line for line in lines if "blackheads" in line)


def test_what_was_not_judged_says_why_and_what_to_do() -> None:
    """Reason and advice of the library's report; two measures with one advice say it once."""
    reason = {"reason": "resolution", "advice": "Come [closer]."}
    abstentions = [
        {"measure": "pores", "condition": "blackheads", **reason},
        {"measure": "wrinkles", "condition": "wrinkles", **reason},
        {"measure": "dark_circles", "condition": None, "reason": "light", "advice": "Add light."},
    ]
    text = shown({**ANALYSIS, "photo": "me [1].jpg", "skin": {**ANALYSIS["skin"], "abstentions": abstentions}})
    assert text.count("not judged: too few pixels") == 2
    assert text.count("Come [closer].") == 1
    assert "Add light." in text
    assert "me [1].jpg" in text


def test_skin_that_the_photo_does_not_show_has_no_score() -> None:
    """Null is said in words, and no chapter is recommended."""
    nothing: dict[str, Any] = {"skinType": None, "probabilities": {}, "skinScore": None, "recommendedChapter": None}
    text = shown({**ANALYSIS, "skin": {**ANALYSIS["skin"], **nothing}})
    assert "doesn't show enough" in text
    assert "chapter" not in text
    assert "of 100" not in text


def test_a_platform_without_skin_has_a_face_report() -> None:
    """Where the answer's skin is null, nothing is said of it."""
    text = shown({**ANALYSIS, "skin": None})
    assert "Face report" in text
    assert "conditions" not in text


def test_a_bar_is_as_long_as_the_probability() -> None:
    """Empty at 0, up to the line at one half, full at 1; always of one width."""
    assert report.bar(0).count("█") == 0
    assert report.bar(0.5).index("│") == report.bar(0.5).count("█")
    assert report.bar(1).count("·") == 0
    assert len({len(report.bar(step / 20)) for step in range(21)}) == 1
