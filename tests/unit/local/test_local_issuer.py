"""The development issuer's part: when there is one, who trusts it, and who gets its tokens."""

import json
from pathlib import Path

import jwt
import pytest

from mien_core.errors import Missing
from mien_local.home import Home
from mien_local.issuer.keys import kept_key
from mien_local.issuer.tokens import HOUR
from mien_local.parts.issuer import URL_SETTING, Issuer, development_token
from mien_local.parts.part import Stage
from mien_local.wiring import ISSUERS_SETTING, plan


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_whoever_names_an_issuer_gets_none(home: Home) -> None:
    """A platform has its own unless a person says whose tokens count; a sourced dev.env says no such thing."""
    own = plan(Stage(home), {})
    assert "issuer" in {member.part.name for member in own.members}
    assert own.settings[URL_SETTING].startswith("http://127.0.0.1:")
    assert ISSUERS_SETTING not in own.settings
    assert "issuer" in {member.part.name for member in plan(Stage(home), dict(own.settings)).members}
    given = plan(Stage(home), {ISSUERS_SETTING: "[]"})
    assert "issuer" not in {member.part.name for member in given.members}


def test_the_api_trusts_it_for_every_tenant(home: Home) -> None:
    """A developer makes tokens of any tenant; the audience is checked as ever."""
    part = Issuer(Stage(home))
    [issuer] = json.loads(part.trusted()[ISSUERS_SETTING])
    assert issuer == {"url": part.url, "audiences": ["mien-development"], "tenant_claim": "custom:tenant"}


def test_a_token_is_signed_with_the_kept_key(home: Home) -> None:
    """For the user and tenant that were asked for, for as long."""
    settings = {URL_SETTING: "http://127.0.0.1:9"}
    with pytest.raises(Missing, match="no_issuer"):
        development_token(home, settings, "anna", "acme", HOUR)
    key = kept_key(home.data / "secrets" / "issuer.pem")
    with pytest.raises(Missing, match="no_issuer"):
        development_token(home, {}, "anna", "acme", HOUR)
    token = development_token(home, settings, "anna", "acme", HOUR)
    claims = jwt.decode(token, key.private.public_key(), ["RS256"])
    assert (claims["sub"], claims["custom:tenant"], claims["exp"] - claims["iat"]) == ("anna", "acme", HOUR)
