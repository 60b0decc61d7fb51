"""What a person calls the things that reports name by codes. Codes that are not listed are shown as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hyperpigmentation": "Dark spots",
        "dehydration": "Dryness",
    }
)

MEASURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acne": "Red blemishes",
        "dark_circles_lightness": "Dark circles, lightness alone",
        "texture": "Uneven texture",
    }
)

METRICS: Final[Mapping[str, str]] = MappingProxyType({"dark_circles": "Under the eyes"})

CHAPTERS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "Hydration",
        2: "Repair",
        3: "Protection",
        4: "Maintenance",
        5: "Brightening & Glow",
        6: "Repair & Recovery",
        7: "Maintenance & Prevention",
    }
)

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "resolution": "too few pixels",
        "blur": "not sharp",
        "light": "the light doesn't allow it",
        "pose": "turned away",
        "hidden": "hidden",
        "colourless": "no colours",
        "smoothed": "smoothed",
    }
)

STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "open": "Open the photo",
        "detect": "Find the face",
        "mesh": "Fit the mesh",
        "measures": "Pose, gates, tone",
        "skin": "Measure the skin",
        "annotate": "Draw the picture",
    }
)


@dataclass(frozen=True)
class GateWords:
    """A gate's name, and how its number is shown: times factor, with unit, in so many decimals."""

    label: str
    factor: float = 1.0
    unit: str = ""
    decimals: int | None = None

    def shown(self, value: float) -> str:
        """A value of this gate, for people; with three digits where nothing else is said."""
        number = value * self.factor
        if self.decimals is not None:
            return f"{number:.{self.decimals}f}{self.unit}"
        return f"{number:.3g}{self.unit}"


_GATES: Final[Mapping[str, GateWords]] = MappingProxyType(
    {
        "resolution": GateWords("Resolution", unit=" px", decimals=0),
        "multiple_faces": GateWords("Faces in the photo", decimals=0),
        "face_too_small": GateWords("Size of the face", unit=" px", decimals=0),
        "face_out_of_bounds": GateWords("Face inside the photo", 100, " %", 0),
        "pose_yaw": GateWords("Turned sideways", unit="°", decimals=1),
        "pose_pitch": GateWords("Turned up or down", unit="°", decimals=1),
        "pose_roll": GateWords("Tilted", unit="°", decimals=1),
        "blur": GateWords("Sharpness", decimals=3),
        "underexposed": GateWords("Lightest parts, L*", decimals=0),
        "overexposed": GateWords("Burnt out", 100, " %", 1),
        "uneven_light": GateWords("Uneven light", unit=" stops", decimals=2),
        "shadow": GateWords("Cast shadow", unit=" stops", decimals=2),
        "occlusion": GateWords("Covered by something", 100, " %", 1),
        "eyeglasses": GateWords("Frame of glasses", unit=" stops", decimals=2),
        "too_little_skin": GateWords("Skin in view", 100, " %", 0),
        "eyes_closed": GateWords("Open eyes", unit=" stops", decimals=1),
        "colour_cast": GateWords("Colour cast", decimals=1),
        "noise": GateWords("Noise", unit=" %", decimals=1),
        "smoothed": GateWords("Fine texture", unit=" %", decimals=1),
    }
)


def gate_words(code: str) -> GateWords:
    """How a gate is shown."""
    return _GATES.get(code) or GateWords(readable(code))


def readable(code: str) -> str:
    """`dark_circles` as `Dark circles`."""
    return code.replace("_", " ").capitalize()


def named(code: str, words: Mapping[str, str]) -> str:
    """The word for a code, or the code made readable."""
    return words.get(code) or readable(code)


def chapter(number: int) -> str:
    """`1` as `1 · Hydration`."""
    return f"{number} · {CHAPTERS[number]}" if number in CHAPTERS else str(number)
