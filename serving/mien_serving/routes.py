"""The router's decisions, without Ray: which revision a request goes to, and where that revision runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien_core.errors import Missing, Rejected
from mien_core.model.comparisons import Comparison
from mien_core.model.serving import FaceRequest, PosterRequest
from mien_core.model.tryon import TryOnRequest
from mien_core.rules.routing import choose_revision

Request = TypeVar("Request", bound=BaseModel)


class RoutedRevision(BaseModel):
    """One revision as the router's user_config carries it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    application: str
    weight: float = Field(ge=0, le=1)


class Shadow(BaseModel):
    """Which two revisions are compared, for which rollout and step, and of how many requests both are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollout: str
    step: int = Field(ge=0)
    stable: str
    candidate: str
    percent: float = Field(ge=0, le=100)

    @property
    def comparison(self) -> Comparison:
        """What it is known as where it is counted."""
        return Comparison(self.rollout, self.step, self.stable, self.candidate)


class RouterConfig(BaseModel):
    """The router's user_config, as mien_core.rules.serve_config renders it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revisions: Mapping[str, RoutedRevision]
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Routes:
    """The revisions that run now and their weights."""

    config: RouterConfig

    @property
    def weights(self) -> dict[str, float]:
        """Revision name to its share of the requests."""
        return {name: revision.weight for name, revision in self.config.revisions.items()}

    @property
    def applications(self) -> frozenset[str]:
        """The applications of all revisions that run."""
        return frozenset(revision.application for revision in self.config.revisions.values())

    @property
    def weighted_applications(self) -> frozenset[str]:
        """The applications that get requests from whoever doesn't name a revision."""
        return frozenset(revision.application for revision in self.config.revisions.values() if revision.weight > 0)

    def revision_for(self, request: FaceRequest) -> str:
        """The revision that answers this request: the one that it names, or the one its subject gets.

        Raises:
            Missing: revision_not_found.
            Unavailable: no_revision_available.
        """
        name = request.revision or choose_revision(request.subject, self.weights)
        if name not in self.config.revisions:
            raise Missing("revision_not_found", f"The revision {name!r} doesn't run; ask for one that does.")
        return name

    def application_of(self, revision: str) -> str:
        """The application of a revision that runs."""
        return self.config.revisions[revision].application


def parse_request(body: bytes) -> FaceRequest:
    """The request for a face analysis in this body.

    Raises:
        Rejected: malformed_request.
    """
    return _parsed(body, FaceRequest, "a face analysis")


def parse_try_on(body: bytes) -> TryOnRequest:
    """The request for a try-on in this body.

    Raises:
        Rejected: malformed_request.
    """
    return _parsed(body, TryOnRequest, "a try-on")


def parse_poster_request(body: bytes) -> PosterRequest:
    """The request for a poster in this body.

    Raises:
        Rejected: malformed_request.
    """
    return _parsed(body, PosterRequest, "a poster")


def _parsed(body: bytes, kind: type[Request], what: str) -> Request:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'body'}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        )
        raise Rejected("malformed_request", f"This is no request for {what} ({wrong}).") from error
