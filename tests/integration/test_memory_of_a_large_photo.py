"""A photo of 24 megapixels in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import faces

pytestmark = pytest.mark.timeout(600)

MOST_BYTES = 1.5e9

# Opens, analyses and measures one photo and prints what was found and the most memory that the process ever held:
# VmHWM, since ru_maxrss begins with what the process that started this one held.
SCRIPT = """
import json, sys
from pathlib import Path
from mien_core.photo import open_photo
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.skin.engine import SkinEngine

photo = open_photo(Path(sys.argv[1]).read_bytes())
report = FaceEngine(installed_model_files()).analyse([photo.pixels])[0].outcome
skin = SkinEngine().analyse(photo.pixels, report)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "pixels": photo.width * photo.height,
    "failed": [gate.code for gate in report.face.quality.gates if not gate.passed],
    "measures": [measure.name for measure in skin.measures],
    "peak": int(status["VmHWM"].split()[0]) * 1024,
}))
"""


def test_a_photo_of_24_megapixels_stays_under_1500_megabytes(tmp_path: Path) -> None:
    """From its bytes to its skin report, with the models loaded in the same process."""
    path = tmp_path / "large.jpg"
    path.write_bytes(faces.jpeg_bytes(faces.resized(faces.astronaut()[:288, 46:400], 5430, 4420)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True, timeout=500
    )
    said = json.loads(done.stdout)
    assert said["pixels"] == 5430 * 4420
    assert "wrinkles" in said["measures"] or "smoothed" in said["failed"]
    assert said["peak"] < MOST_BYTES
    print(f"peak memory: {said['peak'] / 1e6:.0f} MB")  # noqa: T201 - a figure for whoever asks with -s
