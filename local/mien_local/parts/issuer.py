"""The development issuer: real tokens for whoever develops, checked by the services' real code."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from mien_core.errors import Missing
from mien_local.home import Home
from mien_local.issuer.keys import kept_key
from mien_local.issuer.server import DISCOVERY
from mien_local.issuer.tokens import AUDIENCE, TENANT_CLAIM, new_token
from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.ports import HOST

URL_SETTING = "MIEN_ISSUER"
_READY_SECONDS = 60.0


class Issuer(ServerPart):
    """One issuer on the loopback address; its key survives restarts, so tokens do, too."""

    name = "issuer"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._port = stage.home.port("issuer")
        self._server = Server(stage, self.name)

    @property
    def url(self) -> str:
        """Its name in tokens, and where it is."""
        return f"http://{HOST}:{self._port}"

    @property
    def address(self) -> str:
        """Where it is."""
        return self.url

    def environment(self) -> Mapping[str, str]:
        """Where scripts find it. Not what the API needs: in a shell that would look like a person's own issuer."""
        return {URL_SETTING: self.url}

    def trusted(self) -> dict[str, str]:
        """The API's setting to believe its tokens."""
        issuer = {"url": self.url, "audiences": [AUDIENCE], "tenant_claim": TENANT_CLAIM}
        return {"MIEN_CREDENTIALS__ISSUERS": json.dumps([issuer])}

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "mien_local.issuer", "--port", str(self._port)]
        self._server.start([*command, "--key", _key_file(self.stage.home)])
        self._server.wait(self._answers, _READY_SECONDS)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + DISCOVERY, timeout=2.0).is_success
        except httpx.TransportError:
            return False


def development_token(home: Home, settings: Mapping[str, str], user: str, tenant: str, seconds: int) -> str:
    """Sign a token with the key of a platform's own issuer.

    Raises:
        Missing: no_issuer, if that platform never had one.
    """
    path = _key_file(home)
    if URL_SETTING not in settings or not path.exists():
        detail = f"The platform in {home.root} has no issuer of its own: start one with `mien up`."
        raise Missing("no_issuer", detail)
    return new_token(kept_key(path), settings[URL_SETTING], user, tenant, seconds)


def _key_file(home: Home) -> Path:
    return home.data / "secrets" / "issuer.pem"
