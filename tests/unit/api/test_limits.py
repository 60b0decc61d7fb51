"""Limits as clients meet them: whose they are, what the headers say, and what counts."""

import re

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from mien_api.app import ROUTERS
from mien_api.limits import APPLICATIONS, OPERATOR_TAG, PLATFORM, ApplicationLimits, RateLimits, TryonLimits
from mien_api.routers.dependencies import OfApplication
from mien_api.wiring import HttpSettings
from tests.unit.api.conftest import Platform

PATH = "/jobs/6f9619ff-8b86-d011-b42d-00cf4fc964ff"
GLAM_PATH = "/look/6f9619ff-8b86-d011-b42d-00cf4fc964ff"
# as the draft has them: a name in quotes with non-negative integers
POLICY = re.compile(r'"(?P<name>[a-z-]+)";q=(?P<q>\d+);w=(?P<w>\d+)')
LIMIT = re.compile(r'"(?P<name>[a-z-]+)";r=(?P<r>\d+);t=(?P<t>\d+)')


def said(answer: httpx.Response) -> tuple[str, int, int]:
    """The quota's name, its limit, and what is left of it."""
    policy = POLICY.fullmatch(answer.headers["RateLimit-Policy"])
    limit = LIMIT.fullmatch(answer.headers["RateLimit"])
    assert policy is not None
    assert limit is not None
    assert policy["name"] == limit["name"]
    assert policy["w"] == "60"
    assert int(limit["t"]) <= 60
    return policy["name"], int(policy["q"]), int(limit["r"])


async def statuses(client: httpx.AsyncClient, path: str, times: int) -> list[int]:
    return [(await client.get(path)).status_code for _ in range(times)]


async def test_every_answer_says_what_is_left(platform: Platform) -> None:
    """Counted ones say the caller's; refused, unknown, unread and free ones say something, too."""
    platform.rate_limits = RateLimits()
    async with platform.client(await platform.secret()) as client, platform.client("mien_x") as stranger:
        large, json = {"Content-Length": "100000000"}, {"Content-Type": "application/json"}
        answers = {
            "missing": (await client.get(PATH), "platform", 600, 599),
            "invalid": (await client.post("/analyze", json={}), "glam", 600, 599),
            "glam": (await client.get(GLAM_PATH), "glam", 600, 598),
            "unauthorized": (await stranger.get(PATH), "credentials", 60, 59),
            "no route": (await client.get("/nowhere"), "platform-anonymous", 60, 60),
            "method": (await client.put("/analyze"), "platform-anonymous", 60, 60),
            "unread": (await client.post("/analyze", content=b"", headers=large), "platform-anonymous", 60, 60),
            "malformed": (await client.post("/analyze", content=b"{", headers=json), "platform-anonymous", 60, 60),
            "health": (await client.get("/api/health"), "platform-anonymous", 60, 60),
            "metrics": (await client.get("/metrics"), "platform-anonymous", 60, 60),
            "docs": (await client.get("/openapi.json"), "platform-anonymous", 60, 60),
        }
    for what, (answer, *expected) in answers.items():
        assert said(answer) == tuple(expected), what


async def test_a_preflight_says_it_too_and_is_not_counted(platform: Platform) -> None:
    """A browser asks by itself and without the credential: however often, its caller pays nothing for it."""
    platform.rate_limits = RateLimits(caller=2, anonymous=2)
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    async with platform.client(await platform.secret()) as client:
        for _ in range(5):
            answer = await client.options(PATH, headers=preflight)
            assert answer.status_code == 200
            assert said(answer) == ("platform-anonymous", 2, 2)
        assert said(await client.get(PATH)) == ("platform", 2, 1)


async def test_pages_may_read_the_headers(client: httpx.AsyncClient) -> None:
    """A page of an allowed origin sees what is left."""
    answer = await client.get(PATH, headers={"Origin": "http://localhost:3000"})
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed


async def test_too_many_requests_are_refused_with_a_problem(platform: Platform) -> None:
    """429, code rate_limited, nothing left, and Retry-After not before the quota's reset."""
    platform.rate_limits = RateLimits(caller=3)
    async with platform.client(await platform.secret()) as client:
        assert await statuses(client, PATH, 3) == [404] * 3
        refused = await client.get(PATH)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert said(refused) == ("platform", 3, 0)
    reset = LIMIT.fullmatch(refused.headers["RateLimit"])
    assert reset is not None
    assert int(reset["t"]) <= int(refused.headers["Retry-After"]) <= 60


async def test_limits_are_a_tenants_own_and_an_applications_own(platform: Platform) -> None:
    """Who used up one application's may use the others, and other tenants are not concerned; all keys of one are."""
    platform.rate_limits = RateLimits(caller=1)
    async with platform.client(None) as client:
        for tenant in ("acme", "other"):
            first, second = [{"Authorization": await platform.secret(tenant)} for _ in range(2)]
            for path in (PATH, GLAM_PATH):
                assert (await client.get(path, headers=first)).status_code == 404
                assert (await client.get(path, headers=second)).status_code == 429


async def test_an_applications_own_limit_counts_for_it_alone(platform: Platform) -> None:
    """Where an application has a number of its own, it is that."""
    platform.rate_limits = RateLimits(caller=5, glam=ApplicationLimits(caller=2))
    async with platform.client(await platform.secret()) as client:
        assert said(await client.get(GLAM_PATH)) == ("glam", 2, 1)
        assert said(await client.get(PATH)) == ("platform", 5, 4)


async def test_wrong_credentials_are_limited_by_address(platform: Platform) -> None:
    """However many different keys are guessed: after so many the answer is that there were too many."""
    platform.rate_limits = RateLimits(failures=4)
    async with platform.client(None) as client:
        for number in range(4):
            answer = await client.get(PATH, headers={"Authorization": f"Bearer mien_{number}"})
            assert answer.status_code == 401
            assert said(answer) == ("credentials", 4, 3 - number)
        for guess in ("mien_5", "mien_6"):
            answer = await client.get(PATH, headers={"Authorization": f"Bearer {guess}"})
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert said(answer) == ("credentials", 4, 0)


async def test_lacking_credentials_are_limited_too(platform: Platform) -> None:
    """Requests without one use up the same number."""
    platform.rate_limits = RateLimits(failures=2)
    async with platform.client(None) as client:
        assert await statuses(client, PATH, 3) == [401, 401, 429]


async def test_a_neighbour_with_wrong_credentials_shuts_nobody_out(platform: Platform) -> None:
    """Whoever has a good credential comes in from the same address, also for the first time; a wrong one doesn't."""
    platform.rate_limits = RateLimits(failures=2)
    async with platform.client(None) as client:
        assert await statuses(client, PATH, 3) == [401, 401, 429]
        for _ in range(2):
            fresh = await client.get(PATH, headers={"Authorization": await platform.secret()})
            assert (fresh.status_code, said(fresh)[0]) == (404, "platform")
        assert await statuses(client, PATH, 1) == [429]


async def test_good_credentials_cost_no_failure(platform: Platform) -> None:
    """However many good ones come from an address, none counts as a wrong one."""
    platform.rate_limits = RateLimits(failures=2)
    async with platform.client(None) as client:
        for _ in range(10):
            good = {"Authorization": await platform.secret()}
            assert (await client.get(PATH, headers=good)).status_code == 404


async def test_clients_behind_a_trusted_proxy_are_told_apart(platform: Platform) -> None:
    """One client's wrong credentials don't concern another one; who lies about the address is still the same."""
    platform.rate_limits = RateLimits(failures=1)
    platform.trusted_proxies = 1
    async with platform.client(None) as client:
        for address in ("203.0.113.7", "203.0.113.8"):
            for lie in ("1.1.1.1", "2.2.2.2"):
                answer = await client.get(PATH, headers={"X-Forwarded-For": f"{lie}, {address}"})
                assert answer.status_code == (401 if lie == "1.1.1.1" else 429)


async def test_health_and_metrics_are_never_refused(platform: Platform) -> None:
    """Whoever watches may ask as often as it likes, also where everything else is used up."""
    platform.rate_limits = RateLimits(caller=1, anonymous=1, failures=1)
    async with platform.client(None) as client:
        await statuses(client, PATH, 3)
        assert await statuses(client, "/metrics", 5) == [200] * 5
        assert await statuses(client, "/api/health", 5) == [200] * 5


async def test_a_route_for_anybody_is_limited_by_address(platform: Platform) -> None:
    """A route that asks for no caller takes the dependency; its limit is its application's, per address."""
    platform.rate_limits = RateLimits()
    platform.trusted_proxies = 1
    app = platform.app()

    async def open_to_all() -> None:
        """Answer anybody."""

    limit = Depends(app.state.limiting.admit_address)
    app.add_api_route("/open", open_to_all, tags=["TryOnAI"], dependencies=[limit])
    async with _calling(app) as client:
        headers = {"X-Forwarded-For": "203.0.113.7"}
        answers = [await client.get("/open", headers=headers) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert said(answers[0]) == ("tryon-anonymous", 10, 9)
        assert (await client.get("/open", headers={"X-Forwarded-For": "203.0.113.8"})).status_code == 200


def _calling(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mien.test")


def test_each_routes_tag_is_known(platform: Platform) -> None:
    """No application's routes fall to the platform's limits because its tag was written another way."""
    operations = [each for path in platform.app().openapi()["paths"].values() for each in path.values()]
    tags = {tag for operation in operations for tag in operation["tags"]}
    assert tags <= {*APPLICATIONS, "Platform", "Jobs", "Users", OPERATOR_TAG}
    assert "GlamAI" in tags


def test_each_routes_caller_is_its_tags() -> None:
    """Who may call a route and by which limits it is counted are the same application's."""
    asked = {
        (route.path, APPLICATIONS.get(str(route.tags[0])), dependency.call.application)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for dependency in route.dependant.dependencies
        if isinstance(dependency.call, OfApplication)
    }
    assert {tagged for _, tagged, _ in asked} >= {"glam", "skin", "cycle"}
    assert [path for path, tagged, caller in asked if tagged != caller] == []


def test_settings_are_by_application() -> None:
    """An application's own number leaves its other ones; TryOnAI's ten a minute is its contract's."""
    settings = HttpSettings.model_validate({"limits": {"tryon": {"caller": 30}, "glam": {"anonymous": 7}}})
    assert settings.limits.of_callers("tryon").limit == 30
    assert settings.limits.of_addresses("glam").limit == 7
    assert settings.limits.of_addresses("tryon").limit == 10
    assert {settings.limits.of_callers(name).limit for name in (PLATFORM, "glam", "skin")} == {600}


@pytest.mark.parametrize("field", ["caller", "anonymous", "failures"])
def test_a_limit_of_nothing_is_no_limit(field: str) -> None:
    """Numbers below one are refused when the settings are read."""
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        RateLimits(**{field: 0})


def test_tryons_contract_is_a_default() -> None:
    """Ten requests a minute and address, unless somebody sets another number."""
    assert TryonLimits().anonymous == 10
