"""Valid things for tests: each function gives one with the fields that a test doesn't care about filled in."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from mien_core.certificate.keys import SigningKey
from mien_core.model.dead_letters import NewDeadLetter
from mien_core.model.face import BoundingBox, Face, FaceReport, Gate, Landmark, MonkTone, Pose, Quality, Tone
from mien_core.model.looks import Preset, Product, Shade
from mien_core.model.platform import JobKind, NewAnalysis, NewJob, NewUpload, Upload
from mien_core.model.recommendations import NewRecommendation, Recommendation, RecommendedLook
from mien_core.model.serving import PhotoFacts
from mien_core.model.skin import (
    CONDITIONS,
    Abstention,
    Condition,
    ConditionProbability,
    Evidence,
    Interval,
    SkinMeasure,
    SkinMetrics,
    SkinReport,
    SkinType,
)
from mien_core.ports.messages import Record

# what certificates are signed with
SIGNING_KEY = SigningKey("5" * 64)


def new_upload(**fields: Any) -> NewUpload:
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "tenant": "acme",
        "user_id": None,
        "purpose": "glam",
        "content_type": "image/jpeg",
        "content_length": 1000,
        "consent": "attested",
        "expires_in_seconds": 900,
    }
    return NewUpload(**{**defaults, **fields})


def new_job(upload: Upload, **fields: Any) -> NewJob:
    defaults: dict[str, Any] = {
        "id": str(uuid4()),
        "tenant": upload.tenant,
        "user_id": upload.user_id,
        "kind": JobKind.ANALYSE_FACE,
        "upload_id": upload.id,
        "deadline_seconds": 600,
    }
    return NewJob(**{**defaults, **fields})


def new_dead_letter(**fields: Any) -> NewDeadLetter:
    defaults: dict[str, Any] = {
        "handler": "handler",
        "topic": "mien.test.v1",
        "partition": 3,
        "offset": 42,
        "key": b"key",
        "value": b"{}",
        "headers": (("ce_id", b"1"),),
        "code": "malformed_event",
        "detail": "It is no event.",
        "attempts": 1,
        "traceparent": None,
        "job_id": None,
    }
    return NewDeadLetter(**{**defaults, **fields})


def face_report() -> FaceReport:
    gate = Gate(code="blur", value=212.0, threshold=60.0, passed=True)
    return FaceReport(
        face=Face(
            bounding_box=BoundingBox(left=0.31, top=0.12, width=0.34, height=0.42),
            confidence=0.98,
            face_count=1,
            landmarks=(Landmark(x=0.47, y=0.31, z=-0.02),),
            pose=Pose(yaw=3.1, pitch=-2.0, roll=0.4),
            quality=Quality(passed=True, gates=(gate,)),
        ),
        tone=Tone(ita=33.2, tone_class="intermediate", monk=MonkTone(tone=4, delta_e=2.1), undertone="warm"),
    )


def skin_report(
    probabilities: Mapping[Condition, float] | None = None, skin_type: SkinType | None = None
) -> SkinReport:
    """Dullness, and no blackheads to be seen, if not told otherwise; what has no probability is left out for blur."""
    shown = dict.fromkeys(CONDITIONS, 0.2) | {"dullness": 0.61} if probabilities is None else dict(probabilities)
    if probabilities is None:
        del shown["blackheads"]
    outline = ((0.1, 0.1), (0.2, 0.1), (0.2, 0.25))
    return SkinReport(
        regions=(),
        measures=(
            SkinMeasure(
                name="radiance",
                value=41.5,
                unit="L*",
                interval=Interval(low=40.0, high=43.0),
                by_region=(),
                evidence=(Evidence(region="chin", polygon=outline, strength=1.5),),
                method="made up",
                proxy=False,
            ),
        ),
        probabilities=tuple(ConditionProbability(condition=name, probability=p) for name, p in shown.items()),
        abstained=tuple(
            Abstention(measure="pores", condition=name, reason="blur", advice="Hold the camera still.")
            for name in CONDITIONS
            if name not in shown
        ),
        skin_type=skin_type,
        metrics=SkinMetrics(radiance=62.0, moisture=55.5, texture=70.25, pores=None, dark_circles=80.0),
    )


def new_analysis(upload: Upload, job_id: str, **fields: Any) -> NewAnalysis:
    defaults: dict[str, Any] = {
        "upload_id": upload.id,
        "job_id": job_id,
        "tenant": upload.tenant,
        "user_id": upload.user_id,
        "model_revision": "face@sha256:0123456789ab",
        "etag": "face@sha256:0123456789ab/1",
        "report": face_report(),
        "skin": skin_report(),
        "photo": PhotoFacts(width=640, height=480, pixel_digest="ab" * 32),
        "annotated_key": f"uploads/{upload.id}/annotated.png",
        "mask_keys": {"radiance": f"uploads/{upload.id}/masks/radiance.png"},
    }
    return NewAnalysis(**{**defaults, **fields})


def record(value: bytes = b"{}") -> Record:
    return Record(topic="mien.test.v1", key=b"key", value=value, headers=(("ce_id", b"1"), ("raw", b"\xff\x00")))


def recommendation(engine: str = "ranker") -> Recommendation:
    """One look, with a preset and a product."""
    preset = Preset(category="lipstick", color="#A4414B", finish="satin", intensity=0.7)
    product = Product(
        product_id="lip-017",
        name="Velvet",
        shade=Shade(name="Rosewood", hex="#A4414B"),
        url="https://shop.example/lip-017",
        reason="It is warm.",
    )
    look = RecommendedLook(name="Soft evening", reason="Warm colours.", presets=(preset,), products=(product,))
    return Recommendation(engine=engine, looks=(look,))


def new_recommendation(upload: Upload, job_id: str, engine: str = "ranker") -> NewRecommendation:
    return NewRecommendation(upload.id, job_id, upload.tenant, upload.user_id, recommendation(engine))
