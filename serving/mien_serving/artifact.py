"""What a model revision is made of: one file, named by its content, that can be rolled out and rolled back.

An artifact is a zip (or a folder with the same files) of a manifest and the models' files. Its digest is the SHA-256
of the zip as `pack` writes it, so that the same files give the same revision on every machine: entries are sorted and
stored without compression, whose result would depend on the library's version.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien_core.errors import Missing, Rejected
from mien_core.rules.serve_config import Revision, revision_name

MANIFEST: Final = "manifest.json"
_SCHEME_FILE: Final = "file"
_SCHEME_S3: Final = "s3"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)

ReadObject = Callable[[str, str], bytes]


class Manifest(BaseModel):
    """What an artifact says of itself.

    files maps each name to its SHA-256 (hex); all lie on one level. description is free text: a rehearsal of a rollout
    may differ in nothing else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    kind: Literal["face"] = "face"
    description: str = ""
    files: Mapping[str, str] = Field(min_length=1)


def pack(files: Mapping[str, bytes], description: str = "") -> bytes:
    """The artifact of these files as a zip; equal arguments give equal bytes on every machine.

    Args:
        files: name to content; names have no folders.
        description: goes into the manifest, and so into the digest.
    """
    checksums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    manifest = Manifest(description=description, files=checksums)
    entries = {MANIFEST: (json.dumps(manifest.model_dump(), indent=2, sort_keys=True) + "\n").encode(), **files}
    return _zip(entries)


def digest_of(packed: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"


def build(files: Mapping[str, Path], output: Path, description: str = "") -> Revision:
    """Write the artifact of these files into a folder; a file that is already there under its name is left.

    Args:
        files: name to where its content lies.
        output: the folder; made if it isn't there.
        description: as for pack.
    """
    packed = pack({name: path.read_bytes() for name, path in files.items()}, description)
    digest = digest_of(packed)
    output.mkdir(parents=True, exist_ok=True)
    target = output.resolve() / f"face-{digest.removeprefix('sha256:')[:12]}.zip"
    if not target.exists():
        with tempfile.NamedTemporaryFile(dir=output, delete=False) as partial:
            partial.write(packed)
        Path(partial.name).replace(target)
    return Revision(revision_name(digest), target.as_uri(), digest)


def fetch(uri: str, digest: str, cache: Path, read_object: ReadObject) -> Path:
    """The folder with an artifact's files, checked and unpacked; from the cache when it was fetched before.

    Args:
        uri: file:// (a zip or a folder) or s3://bucket/key.
        digest: what the artifact must have.
        cache: a folder of this process's user; several processes may share it.
        read_object: reads an object by bucket and key.

    Raises:
        Missing: artifact_not_found.
        Rejected: invalid_digest, artifact_uri_unsupported, artifact_digest_mismatch or artifact_malformed; or
            artifact_cache_damaged, when what was fetched before has changed since.
        Unavailable: from read_object.
    """
    revision_name(digest)  # a digest names a folder below, so nothing but a digest may get there
    unpacked = cache / digest.replace(":", "-")
    if unpacked.is_dir():
        _check_cached(unpacked)
        return unpacked
    packed = _read(uri, read_object)
    if digest_of(packed) != digest:
        raise Rejected(
            "artifact_digest_mismatch",
            f"The artifact at {uri} has the digest {digest_of(packed)}, not {digest}. Roll out what was built.",
        )
    files = _unpack(packed)
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=cache))
    for name, content in files.items():
        (partial / name).write_bytes(content)
    try:
        partial.rename(unpacked)
    except OSError:
        # Another process was faster, with the same content: that is what a digest means.
        shutil.rmtree(partial)
        if not unpacked.is_dir():
            raise
    return unpacked


def _read(uri: str, read_object: ReadObject) -> bytes:
    parts = urlsplit(uri)
    if parts.scheme == _SCHEME_S3 and parts.netloc and parts.path.strip("/"):
        try:
            return read_object(parts.netloc, unquote(parts.path.lstrip("/")))
        except Missing:
            raise _not_found(uri) from None
    if parts.scheme != _SCHEME_FILE:
        raise Rejected("artifact_uri_unsupported", f"An artifact lies at file:// or s3://bucket/key, not at {uri!r}.")
    path = Path(unquote(parts.path))
    if path.is_dir():
        return _zip({entry.name: entry.read_bytes() for entry in path.iterdir() if entry.is_file()})
    if not path.is_file():
        raise _not_found(uri)
    return path.read_bytes()


def _zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, also when packed elsewhere
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, entries[name])
    return buffer.getvalue()


def _unpack(packed: bytes) -> dict[str, bytes]:
    """The manifest and the files that it lists, each checked; the digest was checked before."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        manifest = Manifest.model_validate_json(content[MANIFEST])
    # zipfile says NotImplementedError to a compression or an encryption that it doesn't know
    except (zipfile.BadZipFile, KeyError, NotImplementedError, ValidationError) as error:
        raise Rejected("artifact_malformed", "The artifact is no zip with a face model's manifest.") from error
    for name, checksum in manifest.files.items():
        if name in {"", ".", "..", MANIFEST} or os.sep in name or "\0" in name:
            raise Rejected("artifact_malformed", f"The artifact's manifest lists the impossible file {name!r}.")
        if hashlib.sha256(content.get(name, b"")).hexdigest() != checksum:
            raise Rejected("artifact_malformed", f"The artifact's file {name!r} is not the one its manifest lists.")
    return {name: content[name] for name in (MANIFEST, *manifest.files)}


def _check_cached(folder: Path) -> None:
    """A disk may lose what was written: nobody is answered by half a model."""
    try:
        listed = Manifest.model_validate_json((folder / MANIFEST).read_bytes()).files
        intact = all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == listed[name] for name in listed)
    except (FileNotFoundError, ValidationError):
        intact = False
    if not intact:
        raise Rejected("artifact_cache_damaged", f"{folder} isn't what was fetched. Delete it; it is fetched again.")


def _not_found(uri: str) -> Missing:
    return Missing("artifact_not_found", f"There is no artifact at {uri}.")
