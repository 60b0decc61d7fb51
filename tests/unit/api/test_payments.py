"""POST /pay in both its forms: the frontend orders, the provider says what came of it."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from mien_api.limits import RateLimits
from mien_api.poster_settings import Pack, PosterSettings
from tests.unit.api.conftest import Platform

JSON = {"Content-Type": "application/json"}
SECRET = "whsec_of-the-payments-tests"  # noqa: S105 - a test's own
PACKS = {
    "starter": Pack(amount=499, credits=10),
    "pro": Pack(amount=3999, currency="eur", credits=120, plan="pro"),
    "plan": Pack(amount=100, plan="gold"),
}


@pytest.fixture
def platform() -> Platform:
    return Platform(posters=PosterSettings(payment_secret=SecretStr(SECRET), packs=PACKS))


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client(f"Bearer {await platform.secret()}") as client:
        yield client


@pytest.fixture
async def provider(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Without a credential: it has none."""
    async with platform.client(None) as client:
        yield client


async def ordered(client: httpx.AsyncClient, pack: str = "starter", **fields: Any) -> str:
    answer = await client.post("/pay", json={"user_id": "anna", "pack": pack, **fields})
    assert answer.status_code == 201, answer.text
    payment_id: str = answer.json()["payment_id"]
    return payment_id


def paid(payment_id: str, **fields: Any) -> dict[str, Any]:
    """A payment intent that succeeded, as Stripe tells of it."""
    intent = {
        "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "object": "payment_intent",
        "amount": 499,
        "amount_received": 499,
        "currency": "usd",
        "metadata": {"payment_id": payment_id},
        "status": "succeeded",
        **fields,
    }
    return event("payment_intent.succeeded", intent)


def session(payment_id: str, **fields: Any) -> dict[str, Any]:
    """A checkout session, which names the payment in another place."""
    about = {
        "id": "cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u",
        "object": "checkout.session",
        "amount_total": 499,
        "currency": "usd",
        "client_reference_id": payment_id,
        "metadata": {},
        "payment_status": "paid",
        **fields,
    }
    return event("checkout.session.completed", about)


def event(kind: str, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": int(time.time()),
        "data": {"object": dict(about)},
        "livemode": False,
        "type": kind,
    }


def failed(payment_id: str) -> dict[str, Any]:
    return {**paid(payment_id, amount_received=0), "type": "payment_intent.payment_failed"}


async def told(
    provider: httpx.AsyncClient, said: Any, *, secret: str = SECRET, age: int = 0, address: str = "198.51.100.1"
) -> httpx.Response:
    """Send an event, signed as Stripe does."""
    body = said if isinstance(said, bytes) else json.dumps(said, indent=2).encode()
    at = int(time.time()) - age
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    signature = {"Stripe-Signature": f"t={at},v1={signed},v0={'0' * 64}", "Content-Type": "application/json"}
    return await provider.post("/pay", content=body, headers={**signature, "X-Forwarded-For": address})


async def account(client: httpx.AsyncClient) -> tuple[int, str]:
    body = (await client.get("/user?user_id=anna")).json()
    return body["credits"], body["plan"]


def audited(platform: Platform) -> list[str]:
    return [action for actor, action, _ in platform.database.state.audit_log if actor == "payment-provider"]


async def test_an_order_has_the_lists_price(client: httpx.AsyncClient) -> None:
    """Whatever the client says of amounts, credits and plans; it is pending and brings nothing yet."""
    forged = {"amount": 1, "currency": "eur", "credits": 10**6, "plan": "pro", "status": "completed"}
    answer = await client.post("/pay", json={"user_id": "anna", "pack": "starter", **forged})
    body = answer.json()
    assert answer.status_code == 201
    assert body.pop("payment_id")
    assert body == {"status": "pending", "amount": 499, "currency": "usd", "pack": "starter", "credits": 10}
    assert await account(client) == (3, "free")


async def test_only_what_is_on_the_list_can_be_ordered(client: httpx.AsyncClient) -> None:
    """422 that says what there is; wrong fields are pointed at; what is no JSON is said to be none."""
    unknown = await client.post("/pay", json={"user_id": "anna", "pack": "gold"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_pack")
    assert "plan, pro, starter" in unknown.json()["detail"]
    for body, pointer in (({"user_id": "anna"}, "/pack"), ({"user_id": "a\x00", "pack": "starter"}, "/user_id")):
        answer = await client.post("/pay", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    for broken in (b"", b"{", b"\xff", b"[" * 10_000):
        answer = await client.post("/pay", content=broken, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert (await client.post("/pay", content=b"[]", headers=JSON)).status_code == 422
    assert (await client.post("/pay", json={"pack": "starter"})).json()["code"] == "user_id_missing"


@pytest.mark.parametrize("tell", [paid, session])
async def test_what_was_paid_is_credited(
    platform: Platform, client: httpx.AsyncClient, provider: httpx.AsyncClient, tell: Any
) -> None:
    """By a payment intent as by a checkout session; it is in the audit log."""
    payment_id = await ordered(client)
    answer = await told(provider, tell(payment_id))
    assert (answer.status_code, answer.json()) == (
        200,
        {"received": True, "payment_id": payment_id, "status": "completed"},
    )
    assert await account(client) == (13, "free")
    assert audited(platform) == ["payment.completed"]


async def test_a_plan_comes_with_its_credits(client: httpx.AsyncClient, provider: httpx.AsyncClient) -> None:
    """In the pack's own currency; a plan may also come alone."""
    answer = await told(provider, paid(await ordered(client, "pro"), amount_received=3999, currency="EUR"))
    assert answer.status_code == 200, answer.text
    assert await account(client) == (123, "pro")
    assert (await told(provider, paid(await ordered(client, "plan"), amount_received=100))).status_code == 200
    assert await account(client) == (123, "gold")


async def test_an_event_twice_counts_once(
    platform: Platform, client: httpx.AsyncClient, provider: httpx.AsyncClient
) -> None:
    """The same event again, another event of the same payment, and both kinds of event about it: credited once."""
    payment_id = await ordered(client)
    first = paid(payment_id)
    for said in (first, first, paid(payment_id), session(payment_id), paid(payment_id, amount_received=1)):
        answer = await told(provider, said)
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert await account(client) == (13, "free")
    assert audited(platform) == ["payment.completed"]


async def test_a_late_event_counts(client: httpx.AsyncClient, provider: httpx.AsyncClient) -> None:
    """Days after the order, newly signed; but not under a signature that is old."""
    payment_id = await ordered(client)
    said = {**paid(payment_id), "created": int(time.time()) - 3 * 86400}
    stale = await told(provider, said, age=301)
    assert (stale.status_code, stale.json()["code"]) == (400, "signature_too_old")
    assert await account(client) == (3, "free")
    assert (await told(provider, said, age=200)).status_code == 200
    assert await account(client) == (13, "free")


async def test_a_forged_event_counts_for_nothing(
    platform: Platform, client: httpx.AsyncClient, provider: httpx.AsyncClient
) -> None:
    """Another secret, no signature, a changed body, a credential instead of a signature: 400, and nothing happens."""
    payment_id = await ordered(client)
    body = json.dumps(paid(payment_id)).encode()
    good = (await told(provider, b"{}")).request.headers["Stripe-Signature"]
    forged = [
        await told(provider, paid(payment_id), secret="whsec_guessed-by-somebody"),  # noqa: S106 - a forger's
        await provider.post("/pay", content=body, headers={**JSON, "Stripe-Signature": good}),
        await provider.post("/pay", content=body, headers={**JSON, "Stripe-Signature": "t=1,v1="}),
        await client.post("/pay", content=body, headers={**JSON, "Stripe-Signature": ""}),
    ]
    assert [(one.status_code, one.json()["code"]) for one in forged] == [(400, "signature_invalid")] * 4
    # with a credential and no signature it is an order, and no event
    assert (await client.post("/pay", content=body, headers=JSON)).json()["errors"][0]["pointer"] == "/pack"
    assert (await provider.post("/pay", content=body, headers=JSON)).status_code == 401
    assert await account(client) == (3, "free")
    assert audited(platform) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"currency": "eur"},
        {"amount_received": 498},
        {"amount_received": 1, "amount": 499},
        {"amount_received": 499_00},
        {"amount_received": None},
        {"currency": None},
    ],
)
async def test_another_price_is_no_payment(
    platform: Platform, client: httpx.AsyncClient, provider: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    """Another currency or amount is 409, credits nothing, is noted, and leaves the payment to be paid."""
    payment_id = await ordered(client)
    answer = await told(provider, paid(payment_id, **fields))
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_mismatch")
    assert await account(client) == (3, "free")
    assert audited(platform) == ["payment.mismatched"]
    assert (await told(provider, paid(payment_id))).status_code == 200
    assert await account(client) == (13, "free")


async def test_events_in_any_order_come_to_the_same(
    platform: Platform, client: httpx.AsyncClient, provider: httpx.AsyncClient
) -> None:
    """A failure before its success, after it, and twice: what was paid is credited once, and stays."""
    for order in ("failed paid", "paid failed", "failed failed paid paid failed"):
        before, _ = await account(client) if platform.database.state.poster_accounts else (3, "")
        payment_id = await ordered(client)
        for word in order.split():
            answer = await told(provider, paid(payment_id) if word == "paid" else failed(payment_id))
            assert answer.status_code == 200
        assert platform.database.state.payments[payment_id].status == "completed"
        assert (await account(client))[0] == before + 10
    in_vain = await ordered(client)
    assert (await told(provider, failed(in_vain))).json()["status"] == "failed"
    assert (await account(client))[0] == 33


async def test_an_unknown_payment_is_nobodys(client: httpx.AsyncClient, provider: httpx.AsyncClient) -> None:
    """404 for an id that no order has, so that the provider's own list shows it."""
    await ordered(client)
    for unknown in (str(uuid4()), "not-an-id", "'; --", "\u0000"):
        answer = await told(provider, paid(unknown))
        assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found")
    assert await account(client) == (3, "free")


@pytest.mark.parametrize(
    "said",
    [
        event("customer.created", {"id": "cus_1"}),
        event("balance.available", {"object": "balance"}),
        event("payment_intent.created", {"id": "pi_1", "metadata": {"payment_id": "x"}}),
        event("payment_intent.succeeded", {"id": "pi_1", "metadata": {}, "amount_received": 1, "currency": "usd"}),
        session("6f9619ff-8b86-4011-b42d-00cf4fc964ff", payment_status="unpaid"),
    ],
    ids=lambda said: said["type"],
)
async def test_what_is_not_about_our_payments_is_taken_and_left(provider: httpx.AsyncClient, said: Any) -> None:
    """200, else the provider would send it again for days."""
    answer = await told(provider, said)
    assert (answer.status_code, answer.json()) == (200, {"received": True, "payment_id": None, "status": None})


async def test_a_delayed_session_is_paid_when_its_money_comes(
    client: httpx.AsyncClient, provider: httpx.AsyncClient
) -> None:
    """Completed but unpaid is nothing yet; the later event is."""
    payment_id = await ordered(client)
    await told(provider, session(payment_id, payment_status="unpaid"))
    assert await account(client) == (3, "free")
    later = {**session(payment_id), "type": "checkout.session.async_payment_succeeded"}
    assert (await told(provider, later)).json()["status"] == "completed"
    assert await account(client) == (13, "free")


async def test_a_signed_body_may_still_be_nonsense(provider: httpx.AsyncClient) -> None:
    """No JSON is 400, another shape 422 with a pointer into the event."""
    assert (await told(provider, b"{")).json()["code"] == "malformed_json"
    assert (await told(provider, {"id": "evt_1"})).json()["code"] == "invalid_request"
    wrong = await told(provider, event("payment_intent.succeeded", {"id": 7}))
    assert wrong.json()["errors"][0]["pointer"] == "/data/object/id"


async def test_the_key_makes_an_order_once(client: httpx.AsyncClient) -> None:
    """A repeat is the same payment."""
    body = {"user_id": "anna", "pack": "starter"}
    first, again = [await client.post("/pay", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert (again.content, again.status_code) == (first.content, 201)


async def test_whoever_forges_again_and_again_is_sent_away() -> None:
    """429 by address after so many; the provider's own events from another address aren't counted at all."""
    settings = PosterSettings(payment_secret=SecretStr(SECRET))
    platform = Platform(posters=settings, rate_limits=RateLimits(failures=5), trusted_proxies=1)
    async with platform.client(None) as provider:
        elsewhere = "198.51.100.7"
        for _ in range(12):
            assert (await told(provider, event("customer.created", {}), address=elsewhere)).status_code == 200
        forged = [await told(provider, b"{}", secret="whsec_guessed-by-somebody") for _ in range(7)]  # noqa: S106 - a forger's
        assert [one.status_code for one in forged] == [400] * 5 + [429] * 2
        assert (await told(provider, event("customer.created", {}), address=elsewhere)).status_code == 200


async def test_without_a_provider_nothing_is_sold() -> None:
    """503 to both: nobody pays for what couldn't be credited."""
    platform = Platform()
    async with platform.client(await platform.secret()) as client:
        for answer in (await client.post("/pay", json={"user_id": "anna", "pack": "starter"}), await told(client, b"")):
            assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    assert not platform.database.state.payments


@pytest.mark.parametrize(
    "wrong",
    [
        {"packs": {"x": {"amount": 499}}},
        {"packs": {"x": {"amount": 0, "credits": 1}}},
        {"packs": {"x": {"amount": 4.99, "credits": 1}}},
        {"packs": {"x": {"amount": 499, "credits": 1, "currency": "USD"}}},
        {"payment_secret": "short"},
        {"welcome_credits": -1},
    ],
)
def test_a_wrong_price_list_starts_no_server(wrong: dict[str, Any]) -> None:
    """Packs without anything in them, without a price, in dollars instead of cents, in no currency."""
    with pytest.raises(ValidationError):
        PosterSettings.model_validate(wrong)
