"""The inference endpoints: read the body within its limit, sort the fields of the head, let the gateway answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from satisfice.core.errors import TooLarge
from satisfice.engine.gateway import Gateway
from satisfice.ports import Downstream, Headers
from satisfice.routing.policy import Asking
from satisfice.server.downstream import ASGIDownstream, Scope
from satisfice.server.reply import reply_json
from satisfice.server.showing import cost_as_json
from satisfice.wire.request import Dialect

__all__ = ["Inference"]

# Not handed on: what belongs to the connection, what is ours to set, what tells a marketplace who our caller is.
_KEPT_BACK: Final = frozenset(
    (
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"api-key",
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"date",
        b"dnt",
        b"expect",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"forwarded",
        b"host",
        b"keep-alive",
        b"openai-organization",
        b"openai-project",
        b"origin",
        b"priority",
        b"proxy-authorization",
        b"proxy-connection",
        b"referer",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"true-client-ip",
        b"upgrade",
        b"user-agent",
        b"via",
        b"x-api-key",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-goog-api-key",
        b"x-real-ip",
    )
)
_ASKED: Final[Mapping[bytes, str]] = {b"x-satisfice-policy": "policy", b"x-satisfice-session": "session"}
"""What a caller may say of a call in its head, and where it goes in an `Asking`."""
_KEPT_BACK_PREFIXES: Final = (b"x-satisfice-", b"x-stainless-", b"x-forwarded-", b"sec-", b"cf-")


class Inference:
    """Handles one dialect's path."""

    def __init__(self, gateway: Gateway, dialect: Dialect, *, max_body: int, key: str | None = None) -> None:
        """`max_body`: bytes that a request body may have; `key`: the name of the callers' API key, if it has one."""
        self._gateway = gateway
        self._dialect = dialect
        self._asking = Asking(key=key)
        self.max_body = max_body
        """Bytes that a request body may have."""

    async def __call__(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """Answer one ASGI request."""
        headers: Headers = scope["headers"]
        await self.answer(headers, body=await self._body(headers, downstream), downstream=downstream)

    async def answer(self, headers: Headers, *, body: bytes | None, downstream: Downstream) -> None:
        """Answer one request; a body of None was over the limit."""
        if body is None:
            raise self._too_large()
        asking, handed_on = self._sort(headers)
        await self._gateway.answer(self._dialect, body, asking=asking, headers=handed_on, downstream=downstream)

    async def preview(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """Answer one ASGI request with what the call would cost and who would get it; nothing is sent."""
        headers: Headers = scope["headers"]
        body = await self._body(headers, downstream)
        if body is None:
            raise self._too_large()
        asking, _ = self._sort(headers)
        decision = self._gateway.decide(self._dialect, self._dialect.parse(body), asking=asking)
        await reply_json(downstream, cost_as_json(decision))

    def _sort(self, headers: Headers) -> tuple[Asking, Headers]:
        """What is said to us of the call, and what is handed on."""
        asking = self._asking
        unusual = [field for field in headers if field[0] not in _KEPT_BACK]
        if not unusual:
            return asking, unusual
        for name, value in unusual:
            if name in _ASKED:
                asking = msgspec.structs.replace(asking, **{_ASKED[name]: value.decode("latin-1")})
        return asking, [field for field in unusual if not field[0].startswith(_KEPT_BACK_PREFIXES)]

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self.max_body} bytes ({self.max_body >> 20} MiB).")

    async def _body(self, headers: Headers, downstream: ASGIDownstream) -> bytes | None:
        for name, value in headers:
            if name == b"content-length" and int(value) > self.max_body:
                return None
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            piece, more = await downstream.receive()
            parts.append(piece)
            size += len(piece)
            if size > self.max_body:
                return None
        return b"".join(parts)
