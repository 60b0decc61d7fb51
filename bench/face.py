"""The face library by itself: one 1080p photo after another on one thread, and eight at once."""

from bench.figures import milliseconds, percentile, report
from mien_core.model.face import FaceReport
from mien_core.photo import open_photo
from mien_serving.face.annotate import annotate
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from tests import faces

ROUNDS = 30
BATCH = 8

# The parts of a request's 400 ms that are not the pipeline's.
ENGINE_LIMIT_MS = 100.0
DOOR_LIMIT_MS = 60.0
ANNOTATE_LIMIT_MS = 60.0


def run() -> None:
    """Print the figures."""
    pixels = faces.astronaut_1080p()
    encoded = faces.jpeg_bytes(pixels)
    engine = FaceEngine(installed_model_files(), threads=1)
    outcome = engine.analyse([pixels])[0].outcome
    if not isinstance(outcome, FaceReport):
        raise TypeError("the benchmark's own photo has no face")
    single, door, drawing = [], [], []
    for _ in range(ROUNDS):
        single.append(milliseconds(lambda: engine.analyse([pixels])))
        door.append(milliseconds(lambda: open_photo(encoded)))
        drawing.append(milliseconds(lambda: annotate(pixels, outcome)))
    batch = [milliseconds(lambda: engine.analyse([pixels] * BATCH)) / BATCH for _ in range(ROUNDS // 5)]
    report("face_engine_p50", percentile(single, 50), "ms", ENGINE_LIMIT_MS, batch=1, threads=1)
    report("face_engine_batch_p50", percentile(batch, 50), "ms per face", ENGINE_LIMIT_MS, batch=BATCH, threads=1)
    report("photo_door_p50", percentile(door, 50), "ms", DOOR_LIMIT_MS, photo="1080p JPEG")
    report("annotate_p50", percentile(drawing, 50), "ms", ANNOTATE_LIMIT_MS, photo="1080p")
