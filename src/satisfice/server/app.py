"""The ASGI callable: path to handler, access token, limits, and the outer wall for our own bugs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from satisfice.core.clock import new_id
from satisfice.core.errors import BadKey, GatewayError, Internal, UnknownPath, WrongMethod
from satisfice.core.secrets import Secret
from satisfice.engine.gateway import Gateway
from satisfice.engine.relay import tell
from satisfice.ports import Downstream, Headers
from satisfice.server.admin import Admin
from satisfice.server.downstream import ASGIDownstream, Receive, Scope, Send
from satisfice.server.inference import Inference
from satisfice.wire.openai_chat import OpenAIChat

__all__ = ["App", "Started"]

Handler = Callable[[Scope, ASGIDownstream], Awaitable[None]]

_log: Final = logging.getLogger(__name__)
_CHAT: Final = OpenAIChat()
_BEARER: Final = b"Bearer "
_KEYS: Final = frozenset((b"authorization", b"x-api-key"))
_OPEN: Final = frozenset(("/", "/health", "/ready"))


class Started(Downstream, Protocol):
    """A downstream that tells whether its head is out."""

    @property
    def has_started(self) -> bool:
        """No other head can be sent."""
        ...


class App:
    """The gateway as an ASGI application."""

    def __init__(self, gateway: Gateway, *, access_token: Secret | None, max_body: int) -> None:
        """`access_token`: what callers have to send, None: nothing; `max_body`: bytes a request may have."""
        self._gateway = gateway
        self._token = access_token
        admin = Admin(gateway)
        chat = Inference(gateway, _CHAT, max_body)
        inference = {f"{prefix}{_CHAT.path}": chat for prefix in ("/v1", "")}
        self.direct: Mapping[bytes, Inference] = {path.encode(): handler for path, handler in inference.items()}
        """By path: what a server may hand to `answer` without ASGI."""
        self._routes: Mapping[str, tuple[str, Handler]] = {
            **{path: ("POST", handler) for path, handler in inference.items()},
            "/v1/models": ("GET", admin.models),
            "/models": ("GET", admin.models),
            "/health": ("GET", admin.health),
            "/ready": ("GET", admin.ready),
            "/": ("GET", admin.root),
        }
        self._model = admin.model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        downstream = ASGIDownstream(receive, send)
        try:
            handler = self._handler(scope)
            if self._token is not None and scope["path"] not in _OPEN:
                _authenticate(self._token, scope["headers"])
            await handler(scope, downstream)
        except Exception as error:
            await self._tell(error, downstream)

    async def answer(self, inference: Inference, headers: Headers, body: bytes | None, downstream: Started) -> None:
        """The short way of a request whose body is here; None: it was over the limit."""
        try:
            if self._token is not None:
                _authenticate(self._token, headers)
            await inference.answer(headers, body, downstream)
        except Exception as error:
            await self._tell(error, downstream)

    def _handler(self, scope: Scope) -> Handler:
        path: str = scope["path"]
        method, handler = self._routes.get(path, ("GET", None))
        if handler is None and path.startswith("/v1/models/"):
            handler = self._model
        if handler is None:
            raise UnknownPath(f"Nothing is served at {path[:200]}.")
        if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
            raise WrongMethod(f"{path} takes {method}, not {scope['method']}.", hint=f"Use {method}.")
        return handler

    async def _tell(self, error: Exception, downstream: Started) -> None:
        """The outer wall: an error of ours is logged with the id that the caller gets, and the server goes on."""
        request_id = new_id("req", self._gateway.clock)
        if not isinstance(error, GatewayError):
            _log.error("%s: a bug of ours", request_id, exc_info=error)
            if downstream.has_started:
                raise error  # the server drops the connection, so that half an answer is not taken for a whole one
            error = Internal("Something went wrong inside the gateway.")
        await tell(error, downstream, dialect=_CHAT, request_id=request_id, retries=0)


def _authenticate(token: Secret, headers: Headers) -> None:
    """Both ways to bring a key count: `Authorization: Bearer` and `x-api-key`."""
    keys = [value for name, value in headers if name in _KEYS]
    if not keys:
        raise BadKey("An access token is needed.")
    if not any([token.matches(key.removeprefix(_BEARER)) for key in keys]):
        raise BadKey("The access token is wrong.")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
