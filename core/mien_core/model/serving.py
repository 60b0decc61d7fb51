"""The words between streams and serving: keys travel, pixels don't."""

from mien_core.model.face import FaceReport, Value


class FaceRequest(Value):
    """Asks for the analysis of one upload's photo.

    photo_key is where the normalised photo is, or will be once serving opened the original beside it. subject is
    the sticky key of a rollout (tenant and user, or the upload). revision forces one model revision; None leaves
    the choice to the router's weights.
    """

    upload_id: str
    photo_key: str
    subject: str
    revision: str | None = None


class PhotoFacts(Value):
    """The normalised photo: its size in pixels and the SHA-256 (hex) of its decoded RGB bytes."""

    width: int
    height: int
    pixel_digest: str


class FaceAnswer(Value):
    """The report, who made it, where the annotated picture is, and the milliseconds of each step."""

    model_revision: str
    report: FaceReport
    annotated_key: str
    photo: PhotoFacts
    timings: dict[str, float]
