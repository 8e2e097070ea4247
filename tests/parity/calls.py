"""Calls for plays: those that fail, those that overlap, and looks at `/health` and `/v1/cost`."""

from __future__ import annotations

import msgspec

from satisfice.routing.policy import Asking
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body
from tests.engine.stage import Caller, Stage
from tests.server.front import ASGIFront, Reply, an_app

__all__ = [
    "PAUSE",
    "Cost",
    "Health",
    "Standing",
    "ask_beside",
    "cost_of",
    "fail",
    "health_of",
    "look",
    "standing_of",
]

PAUSE = 30.0
"""Seconds that a breaker is open the first time; by chance up to a quarter more."""


class Standing(msgspec.Struct):
    """How a provider or an offer stands."""

    state: str = "closed"
    failure_count: int = 0
    last_error: str | None = None
    opened_at: str | None = None
    next_probe: str | None = None


class _Provider(Standing):
    offers: dict[str, Standing] = {}


class Health(msgspec.Struct):
    """What `GET /health` tells."""

    status: str
    providers: dict[str, _Provider]
    http: int = 0
    """The status of the answer."""


class _Candidate(msgspec.Struct):
    offer: dict[str, object]
    expected_cost_msat: int
    input_tokens: int
    output_tokens: int

    @property
    def id(self) -> object:
        """The offer's."""
        return self.offer["id"]


class _Excluded(msgspec.Struct):
    offer: str
    reason: str
    detail: str


class Cost(msgspec.Struct):
    """What `POST /v1/cost` tells."""

    choice: str
    expected_cost_msat: int
    low_cost_msat: int
    high_cost_msat: int
    most_cost_msat: int
    policies: list[str]
    candidates: list[_Candidate]
    excluded: list[_Excluded]


async def fail(stage: Stage, times: int = 3, *, model: str = "small", stream: bool = False) -> None:
    """As many calls, whatever comes of them: by default as many as open a breaker."""
    for _ in range(times):
        await stage.ask(body=a_body(model, stream=stream))


async def ask_beside(
    stage: Stage, caller: Caller | None = None, *, model: str = "small", stream: bool = False
) -> Caller:
    """A call while others are under way."""
    caller = caller or Caller()
    body = a_body(model, stream=stream)
    await stage.gateway.answer(OpenAIChat(), body, asking=Asking(), headers=(), downstream=caller)
    return caller


async def look(stage: Stage, method: str, path: str, body: bytes = b"", *, policy: str | None = None) -> Reply:
    """What the server answers."""
    headers = [] if policy is None else [("x-satisfice-policy", policy)]
    return await ASGIFront(an_app(stage.gateway)).ask(method, path, headers=headers, body=body)


async def health_of(stage: Stage) -> Health:
    """How all stand."""
    reply = await look(stage, "GET", "/health")
    told = msgspec.json.decode(reply.body, type=Health)
    told.http = reply.status
    return told


async def standing_of(stage: Stage, provider: str, model: str = "small") -> Standing:
    """How one offer stands; as all do of which nothing is known yet, unless something is."""
    offers = (await health_of(stage)).providers[provider].offers
    return offers.get(f"{model}@{provider}", Standing())


async def cost_of(stage: Stage, body: bytes, *, policy: str | None = None) -> Cost:
    """What a call would cost."""
    reply = await look(stage, "POST", "/v1/cost", body, policy=policy)
    assert 200 == reply.status, reply.body
    return msgspec.json.decode(reply.body, type=Cost)
