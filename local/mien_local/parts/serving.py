"""Serving: the face revision and the router, put onto Ray as one configuration."""

import time
from collections.abc import Mapping
from typing import Any

import httpx

from mien_core.errors import Unavailable
from mien_core.rules.serve_config import Revision, ServeOptions, render
from mien_local.parts.part import Part, Stage
from mien_local.parts.ray import Ray
from mien_local.parts.services import Task
from mien_local.ports import HOST

_READY_SECONDS = 240.0
_POLL_SECONDS = 0.25
_FAILED = {"DEPLOY_FAILED", "UNHEALTHY"}


class Serving(Part):
    """One revision at full weight behind the router.

    Args:
        stage: as for every part.
        ray: where it runs.
        artifact: the task that built the revision's artifact.
    """

    name = "serving"

    def __init__(self, stage: Stage, ray: Ray, artifact: Task) -> None:
        super().__init__(stage)
        self._ray = ray
        self._artifact = artifact
        self._port = stage.home.port("serving")
        self._deployed_on = 0

    @property
    def url(self) -> str:
        """The router's base URL."""
        return f"http://{HOST}:{self._port}"

    @property
    def address(self) -> str:
        """Where the router is."""
        return self.url

    def environment(self) -> Mapping[str, str]:
        """MIEN_SERVING__URL."""
        return {"MIEN_SERVING__URL": self.url}

    def start(self) -> None:
        """Put the configuration; return once all applications run and the router answers."""
        self._deployed_on = self._ray.incarnation
        answer = self._artifact.answer()
        revision = Revision(answer["revision"], answer["uri"], answer["digest"])
        options = ServeOptions(http_host=HOST, http_port=self._port)
        deploy(self._ray, render([revision], {revision.name: 1.0}, options), self.stage)
        self._wait(f"{self.url}/health")

    def is_alive(self) -> bool:
        """Whether the Ray that it was put onto still runs: one that was started again knows nothing of it."""
        return self._ray.is_alive() and self._ray.incarnation == self._deployed_on

    def ending(self) -> str:
        """It never ends alone."""
        return "ended with the Ray that it ran on"

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                if httpx.get(url, timeout=5.0).is_success:
                    return
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise Unavailable("part_not_ready", f"The router at {url} doesn't answer: {error}") from error
            pause(self.stage, deadline, "the router")


def deploy(ray: Ray, configuration: Mapping[str, Any], stage: Stage) -> None:
    """Give Serve its whole configuration, and wait until each application in it runs.

    Raises:
        Unavailable: part_failed with Serve's message, or part_not_ready.
    """
    answer = httpx.put(ray.rest_url, headers=dict(ray.rest_headers), json=configuration, timeout=60.0)
    if not answer.is_success:
        raise Unavailable("part_failed", f"Serve refused its configuration ({answer.status_code}): {answer.text}")
    deadline = time.monotonic() + _READY_SECONDS
    wanted = {str(application["name"]) for application in configuration["applications"]}
    while True:
        states = _states(ray)
        broken = [states[name] for name in wanted if states.get(name, {}).get("status") in _FAILED]
        if broken:
            messages = "\n".join(f"{each['name']}: {each['status']}: {each['message']}" for each in broken)
            raise Unavailable("part_failed", f"Serve could not deploy. Its logs are in {stage.home.logs}.\n{messages}")
        if all(states.get(name, {}).get("status") == "RUNNING" for name in wanted):
            return
        pause(stage, deadline, "Serve")


def pause(stage: Stage, deadline: float, who: str) -> None:
    """Wait a moment before looking again.

    Raises:
        Unavailable: part_not_ready after the deadline, cancelled if the platform stops.
    """
    if time.monotonic() > deadline:
        raise Unavailable("part_not_ready", f"{who} was not ready in time; the logs are in {stage.home.logs}.")
    if stage.cancelled.wait(_POLL_SECONDS):
        raise Unavailable("cancelled", f"{who} was given up: the platform stops.")


def _states(ray: Ray) -> dict[str, Any]:
    answer = httpx.get(ray.rest_url, headers=dict(ray.rest_headers), timeout=30.0)
    return dict(answer.json()["applications"]) if answer.is_success else {}
