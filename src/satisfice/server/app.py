"""The ASGI callable: path to handler, access token, limits, and the outer wall for our own bugs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol

from satisfice.core.clock import new_id
from satisfice.core.errors import (
    BadKey,
    CallerError,
    GatewayError,
    Internal,
    UnknownPath,
    WrongMethod,
)
from satisfice.engine.gateway import Gateway
from satisfice.engine.relay import tell
from satisfice.ports import Downstream, Headers
from satisfice.server.access import Access
from satisfice.server.admin import Admin
from satisfice.server.downstream import ASGIDownstream, Receive, Scope, Send
from satisfice.server.inference import Inference
from satisfice.wire.openai_chat import OpenAIChat

__all__ = ["App", "Started"]

_Handler = Callable[[Scope, ASGIDownstream], Awaitable[None]]

_log: Final = logging.getLogger(__name__)
_CHAT: Final = OpenAIChat()
_CHAT_PATH: Final = f"/v1{_CHAT.path}".encode()
_ROOTS: Final = ("/v1", "")
_LOOK: Final = ("GET", "HEAD")
_ASK: Final = ("POST",)
_OPEN: Final = frozenset(("/", "/health", "/live", "/ready"))
"""Needs no key, though with one it may say more."""
_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)


class Started(Downstream, Protocol):
    """A downstream that tells whether its head is out."""

    @property
    def has_started(self) -> bool:
        """No other head can be sent."""
        ...


class App:
    """The gateway as an ASGI application."""

    def __init__(self, gateway: Gateway, *, access: Access, max_body: int) -> None:
        """`access`: who may ask; `max_body`: bytes a request may have."""
        self.take(gateway, access=access, max_body=max_body)

    def take(self, gateway: Gateway, *, access: Access, max_body: int) -> None:
        """Serve this from now on; calls that have begun go on as they were."""
        self._gateway = gateway
        self._access = access
        admin = Admin(gateway, access)
        # One for each caller's key, so that nothing has to be looked up twice.
        self._inference: Mapping[tuple[bytes, str | None], Inference] = {
            (f"{root}{_CHAT.path}".encode(), key): Inference(gateway, _CHAT, max_body=max_body, key=key)
            for root in _ROOTS
            for key in access.names
        }
        self._routes: Mapping[str, _Route] = {
            **{f"{root}{_CHAT.path}": _Route(_ASK, self._infer) for root in _ROOTS},
            **{f"{root}/cost": _Route(_ASK, self._price) for root in _ROOTS},
            **{f"{root}/models": _Route(_LOOK, admin.models) for root in _ROOTS},
            "/providers": _Route(_LOOK, admin.providers),
            "/health": _Route(_LOOK, admin.health),
            "/live": _Route(_LOOK, admin.live),
            "/ready": _Route(_LOOK, admin.ready),
            "/": _Route(_LOOK, admin.root),
        }
        self._model = _Route(_LOOK, admin.model)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            downstream = ASGIDownstream(receive, send)
            await self._guard(self._serve(scope, downstream), downstream)

    def inference(self, path: bytes, headers: Headers) -> Inference | None:
        """What answers POST requests to this path, to be handed to `answer` instead of taking the way of ASGI.

        None: nothing does, or the caller may not ask.
        """
        if (path, None) not in self._inference:
            return None
        try:
            return self._inference[path, self._access.identify(headers)]
        except CallerError:
            return None

    async def answer(self, inference: Inference, *, headers: Headers, body: bytes | None, downstream: Started) -> None:
        """The short way of a request whose body is here; None: it was over the limit."""
        await self._guard(inference.answer(headers, body=body, downstream=downstream), downstream)

    def refuse(self, error: GatewayError, downstream: Downstream) -> None:
        """Tell whoever sent what can't be served what is wrong with it."""
        self._tell(error, downstream, request_id=new_id("req", self._gateway.clock))

    async def _serve(self, scope: Scope, downstream: ASGIDownstream) -> None:
        route = self._route(scope["path"])
        if scope["method"] not in route.methods:
            raise _MethodNotAllowed(scope, route.methods)
        if scope["path"] not in _OPEN:
            self._access.identify(scope["headers"])
        await route.handler(scope, downstream)

    async def _infer(self, scope: Scope, downstream: ASGIDownstream) -> None:
        key = self._access.identify(scope["headers"])
        await self._inference[scope["path"].encode(), key](scope, downstream)

    async def _price(self, scope: Scope, downstream: ASGIDownstream) -> None:
        key = self._access.identify(scope["headers"])
        await self._inference[_CHAT_PATH, key].preview(scope, downstream)

    def _route(self, path: str) -> _Route:
        route = self._routes.get(path)
        if route is None and path.startswith(Admin.MODEL_PATHS):
            route = self._model
        if route is None:
            raise UnknownPath(f"Nothing is served at {path[:200]}.")
        return route

    async def _guard(self, work: Awaitable[None], downstream: Started) -> None:
        """The outer wall: a bug of ours is logged with the id that the caller gets, and the server goes on.

        A body that has begun is left without its end, so that the server drops the connection.
        """
        try:
            await work
        except GatewayError as error:
            self.refuse(error, downstream)
        except Exception as bug:
            request_id = new_id("req", self._gateway.clock)
            _log.error("%s: a bug of ours", request_id, exc_info=bug)
            if not downstream.has_started:
                self._tell(Internal("Something went wrong inside the gateway."), downstream, request_id=request_id)
        else:
            return
        await downstream.drain()

    def _tell(self, error: GatewayError, downstream: Downstream, *, request_id: str) -> None:
        match error:
            case BadKey():
                beside: Headers = _CHALLENGE  # RFC 9110 section 15.5.2
            case _MethodNotAllowed():
                beside = ((b"allow", error.allow),)  # RFC 9110 section 15.5.6
            case _:
                beside = ()
        tell(error, downstream, dialect=_CHAT, request_id=request_id, beside=beside)


class _Route(NamedTuple):
    methods: tuple[str, ...]
    handler: _Handler


class _MethodNotAllowed(WrongMethod):
    """`WrongMethod`, with the methods that are allowed."""

    def __init__(self, scope: Scope, methods: tuple[str, ...]) -> None:
        super().__init__(f"{scope['path']} takes {methods[0]}, not {scope['method']}.", hint=f"Use {methods[0]}.")
        self.allow = ", ".join(methods).encode()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
