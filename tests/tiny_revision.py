"""A face revision that is rolled out as the real one is, and loads no model: it starts in a second and answers at once.

Its artifact is fetched and checked by serving's own code. It answers with the revision's name and nothing else, so it
can't be compared by what it says, only by how fast and how often it answers.
"""

import json
import os
from pathlib import Path

from pydantic import BaseModel
from ray import serve

from mien_core.errors import Missing
from mien_core.model.serving import FaceRequest
from mien_core.rules.serve_config import revision_name
from mien_serving.artifact import fetch

CACHE: str = "MIEN_TESTS_ARTIFACTS"


class Arguments(BaseModel):
    """Those of the real one."""

    artifact_uri: str
    digest: str
    threads: int = 1


class FaceRevision:
    """One replica."""

    def __init__(self, artifact_uri: str, digest: str) -> None:
        fetch(artifact_uri, digest, Path(os.environ[CACHE]), _no_object)
        self._answer = json.dumps({"model_revision": revision_name(digest)}).encode()

    async def ready(self) -> None:
        """As the real one."""

    async def analyse(self, request: FaceRequest) -> bytes:  # noqa: ARG002 - the real one's
        """Say who answers."""
        return self._answer


def face_revision(arguments: Arguments) -> serve.Application:
    """Build it; Serve's configuration names this function in the place of the real one."""
    deployment = serve.deployment(name="FaceRevision")(FaceRevision)
    return deployment.bind(arguments.artifact_uri, arguments.digest)


def _no_object(bucket: str, key: str) -> bytes:
    raise Missing("object_not_found", f"There is no {bucket}/{key}.")
