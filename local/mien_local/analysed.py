"""One photo, and all that was found in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien_core.model.face import NOTICE, FaceReport
from mien_core.model.skin import Condition, SkinReport
from mien_core.photo import Photo
from mien_core.rules.skin import conditions_of, recommended_chapter, skin_score


@dataclass(frozen=True, eq=False)
class Analysed:
    """A photo with its reports.

    Attributes:
        name: what a person calls the photo, as they gave it.
        photo: what passed the door.
        face: what the face engine said of it.
        skin: what the skin engine said of it.
        model_revision: the models behind face.
        milliseconds: time spent by step; `serving.mesh` is a part of `serving`.
        annotated: a PNG of the photo with the face's outlines and mesh.
    """

    name: str
    photo: Photo
    face: FaceReport
    skin: SkinReport
    model_revision: str
    milliseconds: Mapping[str, float]
    annotated: bytes

    @property
    def total_milliseconds(self) -> float:
        """Time spent on all of it."""
        return sum(spent for step, spent in self.milliseconds.items() if "." not in step)

    @property
    def probabilities(self) -> dict[Condition, float]:
        """0-1 by condition; one that the photo can't show is left out."""
        return {one.condition: one.probability for one in self.skin.probabilities}

    @property
    def score(self) -> int | None:
        """The skin's score (0-100), None where the photo shows none of the conditions: 100 would be a guess then."""
        return skin_score(self.probabilities) if self.skin.probabilities else None

    @property
    def chapter(self) -> int | None:
        """The chapter (1-7) that fits best, None where there is no score."""
        if not self.skin.probabilities:
            return None
        return recommended_chapter(self.skin.skin_type, self.probabilities)

    def answer(self) -> dict[str, Any]:
        """The report in the API's words (camelCase), with all of the skin's measures below `skin`.

        abstained names conditions, as in the API; what to do about each of them is in abstentions.
        """
        skin = self.skin.model_dump(mode="json", by_alias=True)
        return {
            "photo": self.name,
            "status": "completed",
            "modelRevision": self.model_revision,
            **self.face.model_dump(mode="json", by_alias=True),
            "skin": {
                "skinType": self.skin.skin_type,
                "conditions": list(conditions_of(self.probabilities)),
                "probabilities": dict(self.probabilities),
                "abstained": list(self.skin.abstained_conditions),
                "skinScore": self.score,
                "recommendedChapter": self.chapter,
                "abstentions": skin["abstained"],
                **{part: skin[part] for part in ("metrics", "measures", "regions")},
            },
            "timings": dict(self.milliseconds),
            "notice": NOTICE,
        }
