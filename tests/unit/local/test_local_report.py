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
