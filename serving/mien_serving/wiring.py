"""The composition root: the only place that knows which adapters serving uses."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from pydantic import BaseModel, Field

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.rules.serve_config import revision_name
from mien_core.settings import S3Settings, ServiceSettings, load
from mien_serving.analysis import FaceAnalysis, Pixels
from mien_serving.artifact import fetch
from mien_serving.face.annotate import annotate
from mien_serving.face.device_cut import cut_on_device
from mien_serving.face.engine import FaceEngine, FaceResult
from mien_serving.face.model_files import ModelFiles
from mien_serving.face.region import cut_on_host
from mien_serving.makeup.engine import make_up
from mien_serving.skin.engine import SkinEngine
from mien_serving.tflite.executor import TorchExecutor
from mien_serving.tryon import TryOn


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mien" / "artifacts"


class ArtifactSettings(BaseModel):
    """cache is a folder for fetched artifacts; replicas on one machine share it."""

    cache: Path = Field(default_factory=_default_cache)


class ReplicaSettings(ServiceSettings):
    """What a replica of a face revision reads from the environment; nothing of it is in Serve's configuration."""

    s3: S3Settings = S3Settings()
    artifact: ArtifactSettings = Field(default_factory=ArtifactSettings)


def load_engine(artifact_uri: str, digest: str, threads: int) -> FaceEngine:
    """The face engine on an artifact's models, warmed up.

    Raises:
        Missing, Rejected, Unavailable: as mien_serving.artifact.fetch, or when a model's file lacks or can't be run.
    """
    settings = load(ReplicaSettings)
    # The replica's own threads share the machine; OpenCV and torch would take a thread a core for each of them.
    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    folder = fetch(artifact_uri, digest, settings.artifact.cache, lambda bucket, key: _read(settings.s3, bucket, key))
    # Ray shows a replica the GPU that it was given, and no other.
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # On a CPU OpenCV cuts faster than torch.
    cut = partial(cut_on_device, device=device) if device == "cuda" else cut_on_host
    engine = FaceEngine(ModelFiles.from_directory(folder), threads, partial(TorchExecutor, device=device), cut)
    # The first run of a model allocates; no user shall wait for that.
    engine.analyse([np.full((256, 256, 3), 127, np.uint8)])
    return engine


def face_analysis(digest: str, infer: Callable[[Pixels], Awaitable[FaceResult]], picture_threads: int) -> FaceAnalysis:
    """The analysis of photos in the configured bucket."""
    return FaceAnalysis(
        revision=revision_name(digest),
        store=S3ObjectStore(load(ReplicaSettings).s3),
        infer=infer,
        measure_skin=SkinEngine().analyse,
        annotate=annotate,
        threads=ThreadPoolExecutor(picture_threads, thread_name_prefix="pictures"),
    )


def try_on(digest: str, infer: Callable[[Pixels], Awaitable[FaceResult]], picture_threads: int) -> TryOn:
    """Looks put on photos in the configured bucket; it has threads of its own, so that no analysis waits for them."""
    return TryOn(
        revision=revision_name(digest),
        store=S3ObjectStore(load(ReplicaSettings).s3),
        infer=infer,
        make_up=make_up,
        threads=ThreadPoolExecutor(picture_threads, thread_name_prefix="looks"),
    )


def _read(settings: S3Settings, bucket: str, key: str) -> bytes:
    """Read one object from a place that may already run an event loop, as a replica's constructor does."""

    async def read() -> bytes:
        store = S3ObjectStore(settings.model_copy(update={"bucket": bucket}))
        try:
            return await store.get(key)
        finally:
            await store.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, read()).result()
