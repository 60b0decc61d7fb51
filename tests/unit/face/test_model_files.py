import shutil
from pathlib import Path

import pytest

from mien_core.errors import Missing, Rejected
from mien_serving.face.model_files import CHECKSUMS, MESH, ModelFiles


@pytest.fixture
def folder(tmp_path: Path, model_files: ModelFiles) -> Path:
    for name, path in model_files.paths.items():
        shutil.copy(path, tmp_path / name)
    return tmp_path


def test_a_folder_with_the_right_files_is_accepted(folder: Path) -> None:
    """An unpacked artifact holds the files on one level; all pinned names are there."""
    files = ModelFiles.from_directory(folder)
    assert set(files.paths) == set(CHECKSUMS)
    assert all(path.parent == folder for path in files.paths.values())


@pytest.mark.parametrize("name", list(CHECKSUMS))
def test_a_changed_bit_is_rejected(name: str, folder: Path) -> None:
    """Every file that was installed is checked, to the bit."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    changed = ModelFiles.from_directory(folder)
    with pytest.raises(Rejected) as caught:
        changed.pinned()
    assert caught.value.code == "model_file_corrupt"
    assert name in caught.value.detail


def test_a_missing_file_is_named(folder: Path) -> None:
    """What isn't there is missing, not corrupt."""
    (folder / MESH).unlink()
    with pytest.raises(Missing) as caught:
        ModelFiles.from_directory(folder)
    assert caught.value.code == "model_file_missing"
    assert MESH in caught.value.detail
