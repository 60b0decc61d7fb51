"""Artifacts: the same everywhere, checked whenever they are fetched."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mien_core.errors import Missing, Rejected, Unavailable
from mien_serving.artifact import MANIFEST, build, digest_of, fetch, pack
from mien_serving.face.model_files import CHECKSUMS, ModelFiles

FILES = {"detector.tflite": b"\x00detector", "mesh.tflite": b"\x01mesh"}


def no_objects(bucket: str, key: str) -> bytes:
    raise Missing("object_not_found", f"{bucket}/{key}")


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in FILES}


def test_equal_files_are_the_same_artifact(sources: dict[str, Path], tmp_path: Path) -> None:
    """Neither the order, nor the files' times, nor the machine's compression library change the digest."""
    reversed_files = dict(reversed(FILES.items()))
    assert pack(FILES) == pack(reversed_files)
    for path in sources.values():
        os.utime(path, (1, 1))
    assert build(sources, tmp_path / "out").digest == digest_of(pack(FILES))


def test_a_description_makes_another_revision() -> None:
    """Two revisions of the same models can be told apart, to rehearse a rollout."""
    assert digest_of(pack(FILES)) != digest_of(pack(FILES, "rehearsal"))


def test_what_was_built_is_fetched(sources: dict[str, Path], tmp_path: Path) -> None:
    """A built artifact is found by its uri, checked and unpacked with its manifest."""
    revision = build(sources, tmp_path / "out")
    assert revision.name == f"face@{revision.digest[:19]}"
    folder = fetch(revision.artifact_uri, revision.digest, tmp_path / "cache", no_objects)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST} == FILES
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["kind"] == "face"
    assert manifest["files"]["mesh.tflite"] == hashlib.sha256(FILES["mesh.tflite"]).hexdigest()


def test_building_twice_changes_nothing(sources: dict[str, Path], tmp_path: Path) -> None:
    """The second build of the same files finds its artifact there, and leaves no partial file."""
    first, second = (build(sources, tmp_path / "out") for _ in range(2))
    assert first == second
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_fetched_artifact_is_not_fetched_again(sources: dict[str, Path], tmp_path: Path) -> None:
    """Replicas that start later read the cache, also while the place it came from is away."""
    revision = build(sources, tmp_path / "out")
    first = fetch(revision.artifact_uri, revision.digest, tmp_path / "cache", no_objects)
    Path(revision.artifact_uri.removeprefix("file://")).unlink()
    assert fetch(revision.artifact_uri, revision.digest, tmp_path / "cache", no_objects) == first
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.name]


def test_a_folder_is_an_artifact_too(sources: dict[str, Path], tmp_path: Path) -> None:
    """An unpacked artifact has the digest of its zip."""
    revision = build(sources, tmp_path / "out")
    folder = fetch(revision.artifact_uri, revision.digest, tmp_path / "cache", no_objects)
    again = fetch(folder.as_uri(), revision.digest, tmp_path / "other", no_objects)
    assert (again / "mesh.tflite").read_bytes() == FILES["mesh.tflite"]


def test_an_artifact_in_an_object_store(tmp_path: Path) -> None:
    """An s3:// uri is read by bucket and key."""
    packed = pack(FILES)
    asked: list[tuple[str, str]] = []

    def read(bucket: str, key: str) -> bytes:
        asked.append((bucket, key))
        return packed

    folder = fetch("s3://models/face/v%201.zip", digest_of(packed), tmp_path, read)
    assert (folder / "detector.tflite").read_bytes() == FILES["detector.tflite"]
    assert asked == [("models", "face/v 1.zip")]


def test_another_digest_is_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    """What isn't what was asked for never runs, and leaves nothing in the cache."""
    revision = build(sources, tmp_path / "out")
    other = digest_of(pack(FILES, "other"))
    with pytest.raises(Rejected, match="artifact_digest_mismatch"):
        fetch(revision.artifact_uri, other, tmp_path / "cache", no_objects)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("digest", ["", "sha256:../../etc", "0" * 64, "sha256:" + "G" * 64])
def test_a_digest_is_a_digest(tmp_path: Path, digest: str) -> None:
    """A digest names a folder, so nothing else is taken for one."""
    with pytest.raises(Rejected, match="invalid_digest"):
        fetch("file:///nowhere", digest, tmp_path, no_objects)


def test_a_missing_artifact_is_missing(tmp_path: Path) -> None:
    """A place with nothing there is Missing, on disk as in the object store."""
    digest = digest_of(pack(FILES))
    for uri in (f"{tmp_path.as_uri()}/nothing.zip", "s3://models/nothing.zip"):
        with pytest.raises(Missing, match="artifact_not_found"):
            fetch(uri, digest, tmp_path / "cache", no_objects)


def test_an_unreachable_store_stays_unavailable(tmp_path: Path) -> None:
    """An object store that is away is no missing artifact: a replica's start is tried again."""

    def away(bucket: str, key: str) -> bytes:
        raise Unavailable("object_store_unavailable", f"{bucket}/{key}")

    with pytest.raises(Unavailable):
        fetch("s3://models/face.zip", digest_of(pack(FILES)), tmp_path, away)


@pytest.mark.parametrize("uri", ["http://models/face.zip", "s3://models", "s3:///face.zip", "face.zip"])
def test_other_places_are_refused(tmp_path: Path, uri: str) -> None:
    """An artifact comes from file:// or s3://bucket/key, from nowhere else."""
    with pytest.raises(Rejected, match="artifact_uri_unsupported"):
        fetch(uri, digest_of(pack(FILES)), tmp_path, no_objects)


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def manifest_of(**files: str) -> bytes:
    return json.dumps({"format_version": 1, "kind": "face", "files": files}).encode()


MALFORMED = {
    "no zip": b"PK nothing",
    "no manifest": zipped({"mesh.tflite": b"x"}),
    "manifest of another kind": zipped({MANIFEST: b'{"format_version": 1, "kind": "skin", "files": {"a": "b"}}'}),
    "newer format": zipped({MANIFEST: b'{"format_version": 2, "kind": "face", "files": {"a": "b"}}'}),
    "wrong checksum": zipped({MANIFEST: manifest_of(mesh="0" * 64), "mesh": b"x"}),
    "listed but absent": zipped({MANIFEST: manifest_of(mesh="0" * 64)}),
    "path out of the folder": zipped(
        {
            MANIFEST: json.dumps({"kind": "face", "files": {"../mesh": hashlib.sha256(b"x").hexdigest()}}).encode(),
            "../mesh": b"x",
        }
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_artifacts_are_refused(tmp_path: Path, kind: str) -> None:
    """Even under the right digest, what is no artifact of this format is refused, and nothing is written."""
    packed = MALFORMED[kind]
    with pytest.raises(Rejected, match="artifact_malformed"):
        fetch("s3://models/face.zip", digest_of(packed), tmp_path / "cache", lambda _bucket, _key: packed)
    assert not (tmp_path / "cache").exists()


def test_the_command_builds_what_replicas_load(tmp_path: Path) -> None:
    """`artifact build` prints uri, digest and revision as its last line; the models in it are the pinned ones."""
    command = [sys.executable, "-m", "mien_serving", "artifact", "build", "--output", str(tmp_path / "out")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    revision = json.loads(printed.splitlines()[-1])
    assert revision["revision"] == f"face@{revision['digest'][:19]}"
    folder = fetch(revision["uri"], revision["digest"], tmp_path / "cache", no_objects)
    assert ModelFiles.from_directory(folder).pinned().paths


def test_the_command_builds_models_of_ones_own(tmp_path: Path) -> None:
    """`artifact build --models` packs what lies there: a model that was trained anew is rolled out by its digest."""
    models = tmp_path / "models"
    models.mkdir()
    for number, name in enumerate(CHECKSUMS):
        (models / name).write_bytes(bytes([number]))
    command = [sys.executable, "-m", "mien_serving", "artifact", "build", "--output", str(tmp_path / "out")]
    printed = subprocess.run([*command, "--models", str(models)], check=True, capture_output=True, text=True).stdout
    revision = json.loads(printed.splitlines()[-1])
    folder = fetch(revision["uri"], revision["digest"], tmp_path / "cache", no_objects)
    files = ModelFiles.from_directory(folder).paths
    assert [files[name].read_bytes() for name in CHECKSUMS] == [bytes([number]) for number in range(len(CHECKSUMS))]


def test_what_the_cache_lost_is_noticed(tmp_path: Path) -> None:
    """A file that changed on the disk is refused, with what to do, and not loaded."""
    packed = pack({"mesh": b"weights"})
    folder = fetch("s3://models/face.zip", digest_of(packed), tmp_path, lambda _bucket, _key: packed)
    (folder / "mesh").write_bytes(b"weight")
    with pytest.raises(Rejected, match="artifact_cache_damaged"):
        fetch("s3://models/face.zip", digest_of(packed), tmp_path, no_objects)
