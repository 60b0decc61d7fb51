"""The whole configuration of Ray Serve, rendered from the revisions that shall run and their weights.

Serve's REST call replaces everything: an application that is left out is deleted. So whoever calls it renders all of
it, here. Two facts about Serve shape the result: changing a running application's arguments in place stalls its
requests, so every revision is an application of its own whose arguments never change; changing a deployment's
user_config restarts nothing, so the weights, and what is compared, and only they, stand there. What composes posters
has no revisions: it is part of the platform's own code. What compares revisions runs while there is something to
compare.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mien_core.errors import Rejected

ROUTER_APPLICATION: Final = "router"
POSTER_APPLICATION: Final = "poster"
COMPARISONS_APPLICATION: Final = "comparisons"

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SHORT: Final = 12
_SCHEMES: Final = ("file://", "s3://")


@dataclass(frozen=True)
class RevisionOptions:
    """What one revision runs on, where it shall differ from ServeOptions, whose names these are."""

    gpus_per_replica: float
    min_replicas: int
    max_replicas: int
    target_ongoing_requests: float
    upscale_delay_seconds: float
    downscale_delay_seconds: float
    max_ongoing_requests: int
    max_queued_requests: int


@dataclass(frozen=True)
class Revision:
    """One version of a model: `face@sha256:<12 hex digits>`, made from the artifact with that digest.

    Args:
        name: what answers carry as model_revision; revision_name(digest).
        artifact_uri: file:// or s3://, readable by the replicas.
        digest: `sha256:` and 64 hex digits.
        options: what it runs on; None means what ServeOptions says of all.
    """

    name: str
    artifact_uri: str
    digest: str
    options: RevisionOptions | None = None

    @property
    def application(self) -> str:
        """The name of its application in Serve."""
        return f"face-{_short(self.digest)}"


@dataclass(frozen=True)
class Shadowing:
    """Two revisions whose answers are compared: those to copies of requests, and what their own callers see.

    Args:
        rollout: for what they are compared; opaque, another one for each candidate that is tried.
        step: which step of it runs, from 0: what is counted begins anew with each.
        stable: the name of the revision that is trusted.
        candidate: the name of the one that is to be judged.
        percent: of how many requests the candidate gets a copy, whose answer is sent to nobody; 0 is none.
    """

    rollout: str
    step: int
    stable: str
    candidate: str
    percent: int = 0


@dataclass(frozen=True)
class ServeOptions:
    """How much of the machine serving gets, and where it listens.

    Args:
        http_host: address of Serve's HTTP proxy; Serve doesn't change it while it runs.
        http_port: its port; as http_host.
        request_timeout_seconds: Serve gives up on a request after this long.
        gpus_per_replica: GPUs (or a share of one) for each replica of a face revision; 0 means CPU.
        cpus_per_replica: CPUs that Ray reserves for each replica.
        threads_per_replica: threads that a replica's model may use; a change restarts revisions.
        min_replicas: of each face revision.
        max_replicas: of each face revision; more than min_replicas turns autoscaling on.
        target_ongoing_requests: requests a replica that autoscaling aims at.
        upscale_delay_seconds: how long the load must be high before replicas are added.
        downscale_delay_seconds: how long it must be low before they are removed.
        max_ongoing_requests: requests that one replica works on at once.
        max_queued_requests: requests that wait for a revision's replicas, per router; beyond it callers hear 503.
        router_replicas: replicas of the router.
        router_max_ongoing_requests: requests that one router replica holds at once; as many again may wait for it.
        poster_replicas: replicas of what composes posters.
        poster_max_ongoing_requests: posters that one of them works on at once.
    """

    http_host: str = "127.0.0.1"
    http_port: int = 8090
    request_timeout_seconds: float = 60.0
    gpus_per_replica: float = 0.0
    cpus_per_replica: float = 1.0
    threads_per_replica: int = 1
    min_replicas: int = 1
    max_replicas: int = 1
    target_ongoing_requests: float = 8.0
    upscale_delay_seconds: float = 30.0
    downscale_delay_seconds: float = 600.0
    max_ongoing_requests: int = 16
    max_queued_requests: int = 64
    router_replicas: int = 1
    router_max_ongoing_requests: int = 256
    poster_replicas: int = 1
    poster_max_ongoing_requests: int = 2


def revision_name(digest: str) -> str:
    """The name of the face revision made from the artifact with this digest.

    Raises:
        Rejected: invalid_digest.
    """
    if not _DIGEST.fullmatch(digest):
        raise Rejected("invalid_digest", f"A digest is 'sha256:' and 64 hex digits, not {digest!r}.")
    return f"face@sha256:{_short(digest)}"


def render(
    revisions: Sequence[Revision],
    weights: Mapping[str, float],
    options: ServeOptions,
    shadow: Shadowing | None = None,
) -> dict[str, Any]:
    """Everything that Serve shall run, as PUT /api/serve/applications/ takes it.

    The same arguments give the same configuration, whatever order they come in. A revision without a weight runs and
    answers those who ask for it by name.

    Args:
        revisions: all revisions that shall run.
        weights: revision name to its share of the requests; shares are between 0 and 1 and sum to 1.
        options: what they run on.
        shadow: which of the revisions are compared, if any are.

    Raises:
        Rejected: no_revision, duplicate_revision, invalid_digest, revision_name_mismatch, artifact_uri_unsupported,
            unknown_revision, invalid_weight, weights_do_not_sum_to_one, invalid_shadow or invalid_serve_options.
    """
    _check_options(options)
    _check_revisions(revisions)
    names = {revision.name for revision in revisions}
    _check_weights(names, weights)
    _check_shadow(names, shadow)
    ordered = sorted(revisions, key=lambda revision: revision.name)
    return {
        "proxy_location": "EveryNode",
        # a line a request in each of three processes, on the request's way; streams logs what came of it
        "logging_config": {"enable_access_log": False},
        "http_options": {
            "host": options.http_host,
            "port": options.http_port,
            "request_timeout_s": options.request_timeout_seconds,
        },
        "applications": [
            _router_application(ordered, weights, options, shadow),
            *(_face_application(revision, _options_of(revision, options)) for revision in ordered),
            _poster_application(options),
            *([] if shadow is None else [_comparisons_application(options)]),
        ],
    }


def _options_of(revision: Revision, options: ServeOptions) -> ServeOptions:
    if revision.options is None:
        return options
    own = dataclasses.replace(options, **dataclasses.asdict(revision.options))
    _check_options(own)
    return own


def _router_application(
    revisions: Sequence[Revision], weights: Mapping[str, float], options: ServeOptions, shadow: Shadowing | None
) -> dict[str, Any]:
    user_config: dict[str, Any] = {
        "revisions": {
            revision.name: {"application": revision.application, "weight": float(weights.get(revision.name, 0.0))}
            for revision in revisions
        }
    }
    if shadow is not None:
        user_config["shadow"] = dataclasses.asdict(shadow)
    return {
        "name": ROUTER_APPLICATION,
        "route_prefix": "/",
        "import_path": "mien_serving.app:router",
        "args": {},
        "deployments": [
            {
                "name": "Router",
                "num_replicas": options.router_replicas,
                "max_ongoing_requests": options.router_max_ongoing_requests,
                # A revision's queue is meant to be the first that is full, because the router can say so properly;
                # this one is bounded for the case that the router itself can't follow.
                "max_queued_requests": options.router_max_ongoing_requests,
                "backpressure_config": {"status_code": 503, "retry_after_s": 1.0},
                # The router waits for others nearly all the time: a CPU of its own would be one too few for them.
                "ray_actor_options": {"num_cpus": 0},
                "user_config": user_config,
            }
        ],
    }


def _face_application(revision: Revision, options: ServeOptions) -> dict[str, Any]:
    deployment: dict[str, Any] = {
        "name": "FaceRevision",
        "max_ongoing_requests": options.max_ongoing_requests,
        "max_queued_requests": options.max_queued_requests,
        "ray_actor_options": {"num_cpus": options.cpus_per_replica, "num_gpus": options.gpus_per_replica},
    }
    if options.min_replicas == options.max_replicas:
        deployment["num_replicas"] = options.min_replicas
    else:
        deployment["autoscaling_config"] = {
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": options.target_ongoing_requests,
            "upscale_delay_s": options.upscale_delay_seconds,
            "downscale_delay_s": options.downscale_delay_seconds,
        }
    return {
        "name": revision.application,
        "route_prefix": None,
        "import_path": "mien_serving.app:face_revision",
        "args": {
            "artifact_uri": revision.artifact_uri,
            "digest": revision.digest,
            "threads": options.threads_per_replica,
        },
        "deployments": [deployment],
    }


def _poster_application(options: ServeOptions) -> dict[str, Any]:
    return {
        "name": POSTER_APPLICATION,
        "route_prefix": None,
        "import_path": "mien_serving.app:poster_composer",
        "args": {},
        "deployments": [
            {
                "name": "PosterComposer",
                "num_replicas": options.poster_replicas,
                "max_ongoing_requests": options.poster_max_ongoing_requests,
                "max_queued_requests": options.max_queued_requests,
                # A poster takes a second of a CPU, and few are asked for: reserved, it would be missing for faces.
                "ray_actor_options": {"num_cpus": 0},
            }
        ],
    }


def _comparisons_application(options: ServeOptions) -> dict[str, Any]:
    return {
        "name": COMPARISONS_APPLICATION,
        "route_prefix": None,
        "import_path": "mien_serving.app:comparisons",
        "args": {},
        "deployments": [
            {
                "name": "Comparisons",
                # What is counted lies in its memory, so there is one; what it can't follow is dropped and counted.
                "num_replicas": 1,
                "max_ongoing_requests": options.max_ongoing_requests,
                "max_queued_requests": options.max_queued_requests,
                "ray_actor_options": {"num_cpus": 0},
            }
        ],
    }


def _check_revisions(revisions: Sequence[Revision]) -> None:
    if not revisions:
        raise Rejected("no_revision", "A configuration needs at least one revision; an empty one would delete all.")
    for revision in revisions:
        if revision.name != revision_name(revision.digest):
            raise Rejected(
                "revision_name_mismatch",
                f"The revision {revision.name!r} is called {revision_name(revision.digest)!r} by its digest.",
            )
        if not revision.artifact_uri.startswith(_SCHEMES):
            raise Rejected(
                "artifact_uri_unsupported", f"An artifact lies at file:// or s3://, not at {revision.artifact_uri!r}."
            )
    names = [revision.name for revision in revisions]
    if len(set(names)) < len(names):
        raise Rejected("duplicate_revision", "Each revision can be listed once only.")


def _check_weights(known: set[str], weights: Mapping[str, float]) -> None:
    unknown = sorted(set(weights) - known)
    if unknown:
        raise Rejected("unknown_revision", f"There are weights for revisions that aren't listed: {', '.join(unknown)}.")
    # Written so that NaN fails, too.
    if not all(0 <= weight <= 1 for weight in weights.values()):
        raise Rejected("invalid_weight", "A weight is a share between 0 and 1.")
    if not math.isclose(math.fsum(weights.values()), 1, abs_tol=1e-6):
        raise Rejected("weights_do_not_sum_to_one", f"The weights sum to {math.fsum(weights.values()):g}, not to 1.")


def _check_shadow(known: set[str], shadow: Shadowing | None) -> None:
    if shadow is None:
        return
    if not ({shadow.stable, shadow.candidate} <= known and shadow.stable != shadow.candidate):
        raise Rejected("invalid_shadow", "Two revisions that are listed are compared, and not one with itself.")
    if not 0 <= shadow.percent <= 100 or shadow.step < 0:  # noqa: PLR2004 - percent
        raise Rejected("invalid_shadow", "Copies are made of 0 to 100 percent of the requests, in a step from 0 on.")


def _check_options(options: ServeOptions) -> None:
    conditions = {
        "http_port is between 1 and 65535": 1 <= options.http_port <= 65535,  # noqa: PLR2004 - the range of ports
        "request_timeout_seconds is positive": options.request_timeout_seconds > 0,
        "gpus_per_replica is not negative": options.gpus_per_replica >= 0,
        "cpus_per_replica is not negative": options.cpus_per_replica >= 0,
        "threads_per_replica is at least 1": options.threads_per_replica >= 1,
        "min_replicas is at least 1": options.min_replicas >= 1,
        "max_replicas is at least min_replicas": options.max_replicas >= options.min_replicas,
        "target_ongoing_requests is positive": options.target_ongoing_requests > 0,
        "upscale_delay_seconds is not negative": options.upscale_delay_seconds >= 0,
        "downscale_delay_seconds is not negative": options.downscale_delay_seconds >= 0,
        "max_ongoing_requests is at least 1": options.max_ongoing_requests >= 1,
        # Serve reads -1 as "no limit", and a system without a limit never says that it is full.
        "max_queued_requests is at least 1": options.max_queued_requests >= 1,
        "router_replicas is at least 1": options.router_replicas >= 1,
        "router_max_ongoing_requests is at least 1": options.router_max_ongoing_requests >= 1,
        "poster_replicas is at least 1": options.poster_replicas >= 1,
        "poster_max_ongoing_requests is at least 1": options.poster_max_ongoing_requests >= 1,
    }
    broken = [condition for condition, holds in conditions.items() if not holds]
    if broken:
        raise Rejected("invalid_serve_options", f"Serving can't be configured so: {'; '.join(broken)}.")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT]
