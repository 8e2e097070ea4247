"""What is not inference: who lives and how well, what can be bought and from whom."""

from __future__ import annotations

from typing import Final

from satisfice import __version__
from satisfice.catalog.model import AUTO, near_misses
from satisfice.core.errors import CallerError, UnknownModel
from satisfice.engine.gateway import Gateway
from satisfice.server.access import Access
from satisfice.server.downstream import ASGIDownstream, Scope
from satisfice.server.providers import page_of, providers_as_json
from satisfice.server.reply import reply_json, reply_text
from satisfice.server.status import standings_as_json, status_of

__all__ = ["Admin"]

_Json = dict[str, object]

_ROOT: Final = b"satisfice: an LLM gateway. The API is at /v1: POST /v1/chat/completions, GET /v1/models.\n"


class Admin:
    """Handlers that only look."""

    MODEL_PATHS: Final = ("/v1/models/", "/models/")
    """What stands before a model's id."""

    def __init__(self, gateway: Gateway, access: Access) -> None:
        """Looks at this gateway; what strangers may not see is for those who have access."""
        self._gateway = gateway
        self._access = access
        self._created = gateway.clock.unix_ms() // 1_000

    async def root(self, _: Scope, downstream: ASGIDownstream) -> None:
        """`GET /`: for people, and for clients that only ask whether somebody is there."""
        await reply_text(downstream, _ROOT)

    async def live(self, _: Scope, downstream: ASGIDownstream) -> None:
        """`GET /live`: 200 as long as the process answers at all."""
        await reply_json(downstream, {"status": "live"})

    async def ready(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /ready`: 200 when there is something to sell, else 503 with the reason."""
        is_ready, shows_more = self._gateway.is_ready, self._may_look(scope)
        shown: _Json = {"status": "ready"} if is_ready else {"status": "not ready", "reason": "no offers"}
        if shows_more and is_ready:
            shown["offers"] = len(self._gateway.catalog.offers)
        elif shows_more:
            shown["failures"] = self._gateway.refresher.failures
        await reply_json(downstream, shown, status=200 if is_ready else 503)

    async def health(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /health`: how providers and their offers stand; 503 if none of the offers can be had."""
        status = status_of(self._gateway)
        shown: _Json = {"status": status}
        if self._may_look(scope):
            shown["version"] = __version__
            shown["providers"] = standings_as_json(self._gateway)
        await reply_json(downstream, shown, status=503 if status == "unhealthy" else 200)

    async def providers(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /providers`: each of them with its offers, a page at a time."""
        page = page_of(scope.get("query_string", b""))
        await reply_json(downstream, providers_as_json(self._gateway, page))

    async def models(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /v1/models`: in Anthropic's shape for who sends `anthropic-version`, else in OpenAI's."""
        names = self._names()
        listed = [self._entry(name, scope) for name in names]
        if _is_anthropic(scope):
            ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
            await reply_json(downstream, {"data": listed, "has_more": False, **ends})
        else:
            await reply_json(downstream, {"object": "list", "data": listed})

    async def model(self, scope: Scope, downstream: ASGIDownstream) -> None:
        """`GET /v1/models/{id}`, in the same two shapes; an id may have slashes in it."""
        path: str = scope["path"]
        name = path.removeprefix("/v1").removeprefix("/models/")
        if not self._gateway.catalog.find(name):
            near = near_misses(name, self._names())
            hint = f"Did you mean `{near[0]}`?" if near else None
            raise UnknownModel(f"No offer for the model `{name[:100]}`.", param="model", hint=hint)
        await reply_json(downstream, self._entry(name, scope))

    def _names(self) -> list[str]:
        catalog = self._gateway.catalog
        chosen = [name for name in (AUTO, *catalog.virtual) if catalog.find(name)]
        return list(dict.fromkeys((*chosen, *catalog.models)))

    def _entry(self, name: str, scope: Scope) -> _Json:
        if _is_anthropic(scope):
            return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH}
        providers = sorted({offer.provider for offer in self._gateway.catalog.find(name)})
        return {"id": name, "object": "model", "created": self._created, "owned_by": ", ".join(providers)}

    def _may_look(self, scope: Scope) -> bool:
        """A stranger is told that something is wrong, but not with whom."""
        try:
            self._access.identify(scope["headers"])
        except CallerError:
            return False
        return True


_EPOCH: Final = "1970-01-01T00:00:00Z"


def _is_anthropic(scope: Scope) -> bool:
    return any(name == b"anthropic-version" for name, _ in scope["headers"])
