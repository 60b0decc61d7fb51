"""The words between streams and serving: keys travel, pixels don't."""

from collections.abc import Mapping
from typing import Literal

from mien_core.model.face import FaceReport, Value
from mien_core.model.skin import MeasureName, SkinReport

# width to height of a poster
Aspect = Literal["2:3", "3:4", "4:5", "1:1", "16:9", "9:16"]


class FaceRequest(Value):
    """Asks for the analysis of one upload's photo.

    photo_key is where the normalised photo is, or will be once serving opened the original beside it. subject is
    the sticky key of a rollout (tenant and user, or the upload). revision forces one model revision; None leaves
    the choice to the router's weights. mirrored is the router's own: the answer is only compared with another one, and
    nothing is written.
    """

    upload_id: str
    photo_key: str
    subject: str
    revision: str | None = None
    mirrored: bool = False


class PhotoFacts(Value):
    """The normalised photo: its size in pixels and the SHA-256 (hex) of its decoded RGB bytes."""

    width: int
    height: int
    pixel_digest: str


class FaceAnswer(Value):
    """The reports, who made them, where the pictures are, and the milliseconds of each step.

    mask_keys has a picture for each measure of the skin report. etag is opaque: as long as serving would give this
    subject an answer with the same etag, it would say the same of the same pixels.
    """

    model_revision: str
    etag: str
    report: FaceReport
    skin: SkinReport
    annotated_key: str
    mask_keys: Mapping[MeasureName, str]
    photo: PhotoFacts
    timings: dict[str, float]


class PosterRequest(Value):
    """Asks for a poster at poster_key; upload_id is the photo to be shown on it, if there is one."""

    job_id: str
    poster_key: str
    upload_id: str | None
    title: str
    prompt: str
    genre: str
    style: str
    aspect: Aspect


class PosterAnswer(Value):
    """Where the poster lies, what made it, its size in pixels, and the milliseconds of each step."""

    poster_key: str
    engine: str
    width: int
    height: int
    timings: dict[str, float]
