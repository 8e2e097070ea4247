"""The ASGI callable: path to handler, access token, limits, and the outer wall for our own bugs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from satisfice.core.clock import new_id
from satisfice.core.errors import BadKey, GatewayError, Internal, UnknownPath, WrongMethod
from satisfice.core.secrets import Secret
from satisfice.engine.gateway import Gateway
from satisfice.engine.relay import tell
from satisfice.server.admin import Admin
from satisfice.server.downstream import ASGIDownstream, Receive, Scope, Send
from satisfice.server.inference import Inference
from satisfice.wire.openai_chat import OpenAIChat

__all__ = ["App"]

_log: Final = logging.getLogger(__name__)
_CHAT: Final = OpenAIChat()
_BEARER: Final = b"Bearer "
_OPEN: Final = frozenset(("/", "/health", "/ready"))

Handler = Callable[[Scope, ASGIDownstream], Awaitable[None]]


class App:
    """The gateway as an ASGI application."""

    def __init__(self, gateway: Gateway, *, access_token: Secret | None, max_body: int) -> None:
        """`access_token`: what callers have to send, None: nothing; `max_body`: bytes a request may have."""
        self._gateway = gateway
        self._token = access_token
        admin = Admin(gateway)
        chat = Inference(gateway, _CHAT, max_body)
        self._routes: dict[str, tuple[str, Handler]] = {
            "/v1/chat/completions": ("POST", chat),
            "/chat/completions": ("POST", chat),
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
            await self._handler(scope)(scope, downstream)
        except GatewayError as error:
            await self._tell(error, downstream)
        except Exception:
            request_id = new_id("req", self._gateway.clock)
            _log.exception("%s: a bug of ours", request_id)
            if downstream.has_started:
                raise  # the server drops the connection, so that half an answer is not taken for a whole one
            await self._tell(Internal("Something went wrong inside the gateway."), downstream, request_id)

    def _handler(self, scope: Scope) -> Handler:
        path: str = scope["path"]
        if self._token is not None and path not in _OPEN:
            self._authenticate(scope)
        method, handler = self._routes.get(path, ("GET", None))
        if handler is None and path.startswith("/v1/models/"):
            handler = self._model
        if handler is None:
            raise UnknownPath(f"Nothing is served at {path[:200]}.")
        if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
            raise WrongMethod(f"{path} takes {method}, not {scope['method']}.", hint=f"Use {method}.")
        return handler

    def _authenticate(self, scope: Scope) -> None:
        """Both ways to bring a key count: `Authorization: Bearer` and `x-api-key`."""
        keys = [value for name, value in scope["headers"] if name in {b"authorization", b"x-api-key"}]
        if not keys:
            raise BadKey("An access token is needed.")
        token = self._token
        if token is not None and not any(token.matches(key.removeprefix(_BEARER)) for key in keys):
            raise BadKey("The access token is wrong.")

    async def _tell(self, error: GatewayError, downstream: ASGIDownstream, request_id: str | None = None) -> None:
        name = request_id or new_id("req", self._gateway.clock)
        await tell(error, downstream, dialect=_CHAT, request_id=name, retries=0)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
