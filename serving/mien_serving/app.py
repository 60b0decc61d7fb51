"""What Ray Serve runs: the builders of its applications.

Serve finds them by the import paths that mien_core.rules.serve_config renders, with the deployments' names. It builds
each in a process of its own, so each builder imports what its application needs: the models' libraries alone take
seconds and 650 MB, and no other application has a use for them.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import serve


class FaceRevisionArguments(BaseModel):
    """What the configuration says of a revision: where its artifact is, which it is, and its threads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact_uri: str
    digest: str
    threads: int = 1


def router(_arguments: dict[str, Any]) -> serve.Application:
    """Build the router's application."""
    from mien_serving.router import Router  # noqa: PLC0415 - see above

    return serve.deployment(name="Router")(Router).bind()


def face_revision(arguments: FaceRevisionArguments) -> serve.Application:
    """Build one revision's application."""
    from mien_serving.revision import FaceRevision  # noqa: PLC0415 - see above

    deployment = serve.deployment(name="FaceRevision")(FaceRevision)
    return deployment.bind(arguments.artifact_uri, arguments.digest, arguments.threads)


def poster_composer(_arguments: dict[str, Any]) -> serve.Application:
    """Build the application that makes posters."""
    from mien_serving.composer import PosterComposer  # noqa: PLC0415 - see above

    return serve.deployment(name="PosterComposer")(PosterComposer).bind()


def comparisons(_arguments: dict[str, Any]) -> serve.Application:
    """Build the application that counts how two revisions' answers differ."""
    from mien_serving.comparisons import Comparisons  # noqa: PLC0415 - see above

    return serve.deployment(name="Comparisons")(Comparisons).bind()
