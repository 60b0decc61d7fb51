"""What a photo says of a face: the report that serving makes, Postgres keeps and the applications show."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

NOTICE = "An appearance measure, not a diagnosis."

ToneClass = Literal["very_light", "light", "intermediate", "tan", "brown", "dark"]
Undertone = Literal["cool", "neutral", "warm"]

# The ten tones of the Monk Skin Tone scale as sRGB (Monk 2019).
MONK_SCALE: Final = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")


class Value(BaseModel):
    """An immutable value: snake_case inside the platform, camelCase (by alias) where a contract says so."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class BoundingBox(Value):
    """A rectangle relative to the upright photo: 0-1, x to the right, y down; may reach beyond it when a face does."""

    left: float
    top: float
    width: float = Field(gt=0)
    height: float = Field(gt=0)


class Landmark(Value):
    """A point of the face mesh: x and y relative to the photo's width and height; z like x, smaller is nearer."""

    x: float
    y: float
    z: float


class Pose(Value):
    """The head's rotation in degrees; 0, 0, 0 looks straight into the camera.

    yaw is positive when the person turns to their own left (the image's right), pitch when they look up,
    roll when the head tilts clockwise in the image.
    """

    yaw: float
    pitch: float
    roll: float


class Gate(Value):
    """One condition that a photo must meet to be measured: its value, its threshold and, if failed, what to do."""

    code: str
    value: float
    threshold: float
    passed: bool
    advice: str | None = None


class Quality(Value):
    """All gates of a photo; passed means that each of them passed."""

    passed: bool
    gates: tuple[Gate, ...]


class Face(Value):
    """The largest face of a photo."""

    bounding_box: BoundingBox
    confidence: float = Field(ge=0, le=1)
    face_count: int = Field(ge=1)
    landmarks: tuple[Landmark, ...]
    pose: Pose
    quality: Quality


class MonkTone(Value):
    """The nearest of the ten tones of the Monk Skin Tone scale, and its distance (CIEDE2000)."""

    tone: int = Field(ge=1, le=10)
    delta_e: float = Field(ge=0)


class Tone(Value):
    """The colour of the skin; ita is the individual typology angle in degrees."""

    ita: float
    tone_class: ToneClass = Field(alias="class")
    monk: MonkTone
    undertone: Undertone


class FaceReport(Value):
    """What the face engine says of one photo; tone is None where the light or the size don't allow it."""

    face: Face
    tone: Tone | None
