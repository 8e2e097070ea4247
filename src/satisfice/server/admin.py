"""What is not inference: liveness, readiness, the list of models."""

from __future__ import annotations

from typing import Final

import msgspec

from satisfice import __version__
from satisfice.catalog.model import AUTO, near_misses
from satisfice.core.errors import UnknownModel
from satisfice.engine.gateway import Gateway
from satisfice.server.downstream import ASGIDownstream, Scope

__all__ = ["Admin"]

_encode = msgspec.json.Encoder().encode
_ROOT: Final = b"satisfice: an LLM gateway. The API is at /v1: POST /v1/chat/completions, GET /v1/models.\n"


class Admin:
    """Handlers that only look."""

    MODEL_PATHS: Final = ("/v1/models/", "/models/")
    """What stands before a model's id."""

    def __init__(self, gateway: Gateway) -> None:
        """Looks at this gateway."""
        self._gateway = gateway
        self._created = gateway.clock.unix_ms() // 1_000

    async def root(self, _: Scope, downstream: ASGIDownstream) -> None:
        """`GET /`: for people, and for clients that only ask whether somebody is there."""
        await _answer(downstream, _ROOT, kind=b"text/plain; charset=utf-8")

    async def health(self, _: Scope, downstream: ASGIDownstream) -> None:
        """`GET /health`: the process lives."""
        await _json(downstream, {"status": "ok", "version": __version__})

    async def ready(self, _: Scope, downstream: ASGIDownstream) -> None:
        """`GET /ready`: 200 when calls can be answered, else 503 with the reason."""
        if self._gateway.is_ready:
            await _json(downstream, {"status": "ready", "offers": len(self._gateway.catalog.offers)})
        else:
            failures = self._gateway.refresher.failures
            await _json(downstream, {"status": "not ready", "reason": "no offers", "failures": failures}, status=503)

    async def models(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /v1/models`: in Anthropic's shape for who sends `anthropic-version`, else in OpenAI's."""
        names = self._names()
        listed = [self._entry(name, scope) for name in names]
        if _is_anthropic(scope):
            ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
            await _json(downstream, {"data": listed, "has_more": False, **ends})
        else:
            await _json(downstream, {"object": "list", "data": listed})

    async def model(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /v1/models/{id}`, in the same two shapes; an id may have slashes in it."""
        path: str = scope["path"]
        name = path.removeprefix("/v1").removeprefix("/models/")
        if not self._gateway.catalog.find(name):
            near = near_misses(name, self._names())
            hint = f"Did you mean `{near[0]}`?" if near else None
            raise UnknownModel(f"No offer for the model `{name[:100]}`.", param="model", hint=hint)
        await _json(downstream, self._entry(name, scope))

    def _names(self) -> list[str]:
        catalog = self._gateway.catalog
        return [*([AUTO] if catalog.find(AUTO) else []), *catalog.models]

    def _entry(self, name: str, scope: Scope) -> dict[str, object]:
        if _is_anthropic(scope):
            return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH}
        providers = sorted({offer.provider for offer in self._gateway.catalog.find(name)})
        return {"id": name, "object": "model", "created": self._created, "owned_by": ", ".join(providers)}


_EPOCH: Final = "1970-01-01T00:00:00Z"


def _is_anthropic(scope: Scope) -> bool:
    return any(name == b"anthropic-version" for name, _ in scope["headers"])


async def _json(downstream: ASGIDownstream, value: object, *, status: int = 200) -> None:
    await _answer(downstream, _encode(value), kind=b"application/json", status=status)


async def _answer(downstream: ASGIDownstream, body: bytes, *, kind: bytes, status: int = 200) -> None:
    downstream.start(status, [(b"content-type", kind), (b"content-length", b"%d" % len(body))])
    downstream.end(body)
    await downstream.drain()
