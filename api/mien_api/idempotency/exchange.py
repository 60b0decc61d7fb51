"""Idempotency-Key: the same request under the same key is done once, and answered the same.

Three hands are in it. The middleware stands around a request with the header and sees its body come and its answer go.
`begun` is around every operation and claims the key: after the operation's admission, before its work. And the answer
is kept before it is sent, so that whoever was shown it is shown the same again.
"""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien_api.idempotency.answers import Answer, Seal
from mien_api.idempotency.bodies import KnownBody
from mien_api.idempotency.leases import LEASE_SECONDS, Leases
from mien_api.ids import same_ids
from mien_api.problems import problem
from mien_api.routers.dependencies import anonymous_address, caller_of
from mien_core.errors import Rejected, Unavailable
from mien_core.idempotency import Answered, Claim, IdempotencyKeys, InFlight, OtherRequest

logger = logging.getLogger(__name__)

HEADER: Final = "Idempotency-Key"
KEEP_SECONDS: Final = 24 * 3600.0
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_RAW_HEADER: Final = HEADER.lower().encode()
_WELL_FORMED: Final = re.compile(r"[!-~]{1,255}")
_STATE: Final = "idempotency"
_OVER: Final = "idempotency_attempt_is_over"


def needs_other_ids(request: Request) -> None:
    """Say that what this request made has failed for good: an attempt after it makes another, if it may make one."""
    setattr(request.state, _OVER, True)


def install(app: FastAPI, leases: Leases) -> None:
    """Put the middleware around the app; each of its routes must be begun."""
    app.add_middleware(IdempotencyMiddleware, leases=leases)
    app.add_exception_handler(_AnsweredInsteadError, _on_answered_instead)


def begun(request: Request) -> AbstractAsyncContextManager[None]:
    """Claim the request's Idempotency-Key, if it has one, for what the block does.

    Who is refused by an exception began nothing, so the key is free again. What an endpoint returns is its answer. What
    it creates has the ids that an earlier attempt gave it.

    Raises:
        Rejected: idempotency_key_malformed, idempotency_key_reused, or as caller_of, when the block is entered.
    """
    exchange: _Exchange | None = request.scope["state"].get(_STATE)
    return contextlib.nullcontext() if exchange is None else exchange.attempt(request)


class IdempotencyMiddleware:
    """Stands around requests that have the header, if their method is unsafe; others pass untouched."""

    def __init__(self, app: ASGIApp, leases: Leases) -> None:
        self._app = app
        self._leases = leases

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if (
            scope["type"] != "http"
            or scope["method"] in SAFE_METHODS
            or not any(name == _RAW_HEADER for name, _ in scope["headers"])
        ):
            return self._app(scope, receive, send)
        return self._exchange(scope, receive, send)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send, self._leases)
        scope["state"][_STATE] = exchange
        async with exchange.ending():
            await self._app(scope, exchange.body.receive, exchange.send)


class _AnsweredInsteadError(Exception):
    """The endpoint needn't be asked: this is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def _on_answered_instead(_: Request, error: Exception) -> Response:
    assert isinstance(error, _AnsweredInsteadError)  # noqa: S101 - it is installed for these only; tells mypy so
    return error.response


class _Held:
    """A claim, and what is needed to end it."""

    def __init__(self, keys: IdempotencyKeys, claim: Claim, seal: Seal) -> None:
        self.keys = keys
        self.claim = claim
        self.seal = seal


class _Exchange:
    """One request with the header, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, leases: Leases) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._leases = leases
        self._held: _Held | None = None
        self._start: Message | None = None
        self.body = KnownBody(scope, receive)
        self.refused = False

    @contextlib.asynccontextmanager
    async def attempt(self, request: Request) -> AsyncIterator[None]:
        """See begun."""
        with same_ids(await self._begin(request)):
            try:
                yield
            except Exception:
                self.refused = True
                raise

    async def _begin(self, request: Request) -> str | None:
        """Claim the key and give the seed of its ids, or raise what is answered instead."""
        keys: IdempotencyKeys = request.app.state.handlers.database.idempotency_keys
        idempotency_key = _read_key(request)
        caller = await caller_of(request)
        seal = Seal(caller, anonymous_address(request), idempotency_key)
        digest = await self.body.request_digest()
        if digest is None:
            # the client is gone; the endpoint finds that out by itself
            return None
        got = await keys.claim(seal.key, digest, lease_seconds=LEASE_SECONDS, keep_seconds=KEEP_SECONDS)
        if isinstance(got, Answered):
            raise _AnsweredInsteadError(seal.open(got.answer).replayed(got.age_seconds))
        if isinstance(got, InFlight):
            raise _AnsweredInsteadError(_in_flight(request))
        if isinstance(got, OtherRequest):
            detail = "This Idempotency-Key was first sent with another request. Use a new key for a new request."
            raise Rejected("idempotency_key_reused", detail)
        self._held = _Held(keys, got, seal)
        self._leases.begin(got)
        return got.seed

    async def send(self, message: Message) -> None:
        """Send the answer on, once it is kept. An answer in several pieces is a stream and isn't kept."""
        if self._held is None:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        elif self._start is not None:
            start, self._start = self._start, None
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            if whole and not await self._settle(start, message.get("body", b"")):
                await _in_flight(Request(self._scope))(self._scope, self._receive, self._send)
                return
            await self._send(start)
            await self._send(message)
        else:
            await self._send(message)

    @contextlib.asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        """Let the next attempt begin where the block left none to keep an answer of: a stream, or a bug.

        A request that was cancelled may still be at work in the database: its lease runs out.
        """
        try:
            yield
        except Exception:
            await self._let_go()
            raise
        else:
            await self._let_go()
        finally:
            if self._held is not None:
                self._leases.end(self._held.claim)

    async def _settle(self, start: Message, body: bytes) -> bool:
        """Keep the answer, or let the key go; False if the answer is somebody else's to give by now."""
        held = self._held
        if held is None:
            return True
        status: int = start["status"]
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        if self.refused or failed:
            over: bool = self._scope["state"].get(_OVER, False)
            await self._let_go(forget=over or not failed)
            return True
        self._end()
        answer = Answer.of(status, Headers(raw=start["headers"]), body)
        try:
            return await held.keys.complete(held.claim, held.seal.close(answer))
        except Unavailable as error:
            # who gets this answer needs no other, and to send it away would have the work done twice
            logger.warning("An answer can't be kept for its Idempotency-Key: %s", error)
            return True

    async def _let_go(self, *, forget: bool = False) -> None:
        """Let the next attempt begin: as if there had been none, or else with this one's ids."""
        held = self._held
        if held is None:
            return
        self._end()
        try:
            if forget:
                await held.keys.release(held.claim)
            else:
                await held.keys.renew([held.claim], 0)
        except Unavailable as error:
            logger.warning("An Idempotency-Key is held until its lease is over: %s", error)

    def _end(self) -> None:
        if self._held is not None:
            self._leases.end(self._held.claim)
            self._held = None


def _read_key(request: Request) -> str:
    keys = request.headers.getlist(HEADER)
    if len(keys) != 1 or not _WELL_FORMED.fullmatch(keys[0]):
        detail = "Send one Idempotency-Key of 1 to 255 visible ASCII characters, such as a UUID."
        raise Rejected("idempotency_key_malformed", detail)
    return keys[0]


def _in_flight(request: Request) -> Response:
    return problem(
        request,
        "request_in_flight",
        HTTPStatus.CONFLICT,
        "The first request with this Idempotency-Key is still being worked on. Repeat it later to get its answer.",
        headers={"Retry-After": "1"},
    )
