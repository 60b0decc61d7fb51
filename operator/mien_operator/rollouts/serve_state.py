"""What Serve says of itself, as far as rollouts ask: which applications run, and with which configuration."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mien_core.rules.serve_config import ROUTER_APPLICATION, Revision, RevisionOptions, revision_name

FACE: Final = "mien_serving.app:face_revision"
# what trying again doesn't help with
_HOPELESS: Final = frozenset({"Rejected", "Missing"})
_ERROR: Final = re.compile(r"mien_core\.errors\.(?P<kind>\w+): (?P<code>[a-z_]+): (?P<detail>.+)")


@dataclass(frozen=True, slots=True)
class Application:
    """One of Serve's applications.

    Args:
        name: its name.
        status: as Serve says: DEPLOYING, RUNNING, DEPLOY_FAILED, UNHEALTHY, DELETING, NOT_STARTED.
        message: what Serve says about it and its deployments.
        config: what was put for it; empty for one that is being deleted.
        replicas: how many of its replicas run.
        updating: how many more take a new configuration; requests wait for them, for less than a second.
    """

    name: str
    status: str
    message: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    replicas: int = 0
    updating: int = 0

    @property
    def ready(self) -> bool:
        """Whether all of it is as it was put."""
        return self.status == "RUNNING"

    @property
    def broken(self) -> bool:
        """Whether Serve has given up on it, or lost it, or tries what can't succeed."""
        own = _ERROR.search(self.message)
        hopeless = own is not None and own["kind"] in _HOPELESS and not self.replicas
        return self.status in {"DEPLOY_FAILED", "UNHEALTHY"} or (self.status == "DEPLOYING" and hopeless)

    def is_as(self, wanted: Mapping[str, Any]) -> bool:
        """Whether it was put so. Serve adds what was said for all, such as logging_config; that is no difference."""
        return all(name in self.config and self.config[name] == value for name, value in wanted.items())

    @property
    def complaint(self) -> str:
        """What is wrong with it, in the words of serving's own error if there is one."""
        own = _ERROR.search(self.message)
        if own is not None:
            return own["detail"].strip()
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        return lines[-1] if lines else f"Serve says {self.status}, and no more."

    @property
    def complaint_code(self) -> str:
        """The code of serving's own error, or nothing."""
        own = _ERROR.search(self.message)
        return own["code"] if own is not None else ""


@dataclass(frozen=True, slots=True)
class ServeState:
    """What runs.

    Args:
        applications: all of Serve's applications by name; none means that it runs nothing, as after a restart.
        listening: whether one of Serve's HTTP proxies takes requests; they may start later than what they lead to.
    """

    applications: Mapping[str, Application] = field(default_factory=dict)
    listening: bool = True

    @property
    def router_settled(self) -> bool:
        """Whether all of the router's replicas have the weights that were put last."""
        router = self.applications.get(ROUTER_APPLICATION)
        return router is not None and router.ready

    @property
    def weights(self) -> Mapping[str, float]:
        """Revision name to its share of the requests, as it was put last."""
        revisions: Mapping[str, Any] = self._user_config.get("revisions", {})
        return {name: float(entry["weight"]) for name, entry in revisions.items()}

    @property
    def shadow(self) -> Mapping[str, Any]:
        """What is compared, as the router was told; empty if nothing is."""
        return self._user_config.get("shadow") or {}

    @property
    def revisions(self) -> Mapping[str, Revision]:
        """The face revisions that were put and are not being deleted, by name, with what they run on."""
        known = (_revision(application.config) for application in self.applications.values())
        return {revision.name: revision for revision in known if revision is not None}

    def application_of(self, revision: Revision) -> Application | None:
        """The application of a revision, unless there is none or it is being deleted."""
        application = self.applications.get(revision.application)
        return application if application is not None and application.config else None

    def runs(self, configuration: Mapping[str, Any]) -> bool:
        """Whether exactly this was put last and nothing of it is gone."""
        wanted = {str(application["name"]): application for application in configuration["applications"]}
        put = {name: application for name, application in self.applications.items() if application.config}
        return set(wanted) == set(put) and all(put[name].is_as(application) for name, application in wanted.items())

    @property
    def _user_config(self) -> Mapping[str, Any]:
        router = self.applications.get(ROUTER_APPLICATION)
        if router is None or not router.config:
            return {}
        deployments = router.config.get("deployments") or [{}]
        return deployments[0].get("user_config") or {}


def parse(details: Mapping[str, Any]) -> ServeState:
    """What GET /api/serve/applications/ answered."""
    proxies = details.get("proxies")
    return ServeState(
        {name: _application(name, entry) for name, entry in (details.get("applications") or {}).items()},
        proxies is None or any(proxy.get("status") == "HEALTHY" for proxy in proxies.values()),
    )


def _application(name: str, entry: Mapping[str, Any]) -> Application:
    deployments = list((entry.get("deployments") or {}).values())
    messages = [entry.get("message") or "", *(deployment.get("message") or "" for deployment in deployments)]
    states = Counter(replica.get("state") for deployment in deployments for replica in deployment.get("replicas") or [])
    deleting = entry["status"] == "DELETING"
    return Application(
        name=name,
        status=entry["status"],
        message="\n".join(message for message in messages if message),
        config={} if deleting else entry.get("deployed_app_config") or {},
        replicas=states["RUNNING"],
        updating=states["UPDATING"],
    )


def _revision(config: Mapping[str, Any]) -> Revision | None:
    if config.get("import_path") != FACE:
        return None
    arguments, deployment = config["args"], config["deployments"][0]
    scaling = deployment.get("autoscaling_config") or {}
    fixed = deployment.get("num_replicas", 1)
    digest = arguments["digest"]
    return Revision(
        revision_name(digest),
        arguments["artifact_uri"],
        digest,
        RevisionOptions(
            gpus_per_replica=deployment["ray_actor_options"]["num_gpus"],
            min_replicas=scaling.get("min_replicas", fixed),
            max_replicas=scaling.get("max_replicas", fixed),
            target_ongoing_requests=scaling.get("target_ongoing_requests", 1.0),
            upscale_delay_seconds=scaling.get("upscale_delay_s", 0.0),
            downscale_delay_seconds=scaling.get("downscale_delay_s", 0.0),
            max_ongoing_requests=deployment["max_ongoing_requests"],
            max_queued_requests=deployment["max_queued_requests"],
        ),
    )
