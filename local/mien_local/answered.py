"""From a platform's answer to all that a report page shows."""

from collections.abc import Mapping
from typing import Any

from mien_core.model.face import FaceReport
from mien_core.photo import open_photo
from mien_local.analysed import Analysed
from mien_serving.face.annotate import annotate
from mien_serving.skin.engine import SkinEngine


def analysed_of(
    name: str, content: bytes, answer: Mapping[str, Any], milliseconds: Mapping[str, float], annotated: bytes | None
) -> Analysed:
    """A photo as a platform saw it, with the measures behind its answer.

    Face, tone, gates and revision are the platform's. The answer carries what follows from the skin's measures, and not
    the measures: they are taken again here, by the same library, from the same pixels and the platform's mesh.

    Args:
        name: what a person calls the photo.
        content: the file that was sent.
        answer: a completed analysis, the API's JSON.
        milliseconds: time spent by hop.
        annotated: the platform's annotated picture; None: it is drawn here.

    Raises:
        Rejected: all codes of mien_core.photo.open_photo.
    """
    photo = open_photo(content)
    face = FaceReport.model_validate({"face": answer["face"], "tone": answer["tone"]})
    return Analysed(
        name=name,
        photo=photo,
        face=face,
        skin=SkinEngine().analyse(photo.pixels, face),
        model_revision=str(answer["modelRevision"]),
        milliseconds=milliseconds,
        annotated=annotate(photo.pixels, face) if annotated is None else annotated,
    )
