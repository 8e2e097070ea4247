"""A gateway before scripted providers, with a caller who keeps all that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from satisfice.attempt.pacing import Pacing, RetryBudget
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.ports import Endpoint, Timeouts
from satisfice.routing.policy import Asking, Policies
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.sse import SSEDecoder
from tests.build import a_body, a_pacing, a_price, an_offer

if TYPE_CHECKING:
    from satisfice.catalog.offers import Offer, Price
    from satisfice.core.clock import ManualClock
    from satisfice.engine.attempt import Job
    from satisfice.engine.driver import Seen
    from satisfice.ports import Headers, Transport

__all__ = ["STREAM", "WHOLE", "Caller", "Stage", "a_pace", "a_stream", "an_error"]

WHOLE: Final = (
    Script()
    .head(200)
    .body(
        '{"choices":[{"message":{"role":"assistant","content":"Hi"}}],"usage":{"prompt_tokens":19,"completion_tokens":10}}'
    )
)
"""An answer of 19 tokens in and 10 out: 39 msat at the first provider's price."""


def a_stream(text: str = "Hello there") -> Script:
    """A stream up to its last word."""
    return Script().head(200).role().say(text)


STREAM: Final = a_stream().finish().usage(19, 10).done()
"""The same as a stream."""


def an_error(status: int, headers: Mapping[str, str] | None = None, *, message: str = "no") -> Script:
    """An error answer in OpenAI's shape."""
    return Script().head(status, headers or {}).body(f'{{"error":{{"message":"{message}"}}}}')


def a_pace(
    *,
    max_attempts: int = 4,
    hedge_after: float | None = None,
    longest_wait: float = 10.0,
    backoff: float = 1.0,
    budget: RetryBudget | None = None,
) -> Pacing:
    """As `a_pacing`, with a budget of its own: it remembers when it was asked last."""
    return a_pacing(
        max_attempts=max_attempts,
        hedge_after=hedge_after,
        longest_wait=longest_wait,
        backoff=backoff,
        budget=budget or RetryBudget(1.0, reserve=100.0),
    )


class Caller:
    """Fills the port `Downstream`. A slow one needs a second for each piece that is written."""

    def __init__(self, *, is_slow: bool = False) -> None:
        """About to ask."""
        self.status = 0
        self.headers: Headers = ()
        self.pieces: list[bytes] = []
        """What was written, each piece as it came; the last one came with the end, if that has come."""
        self.has_end = False
        self.gone = asyncio.Event()
        """Set it, and the caller has left."""
        self.on_piece: Callable[[], None] = lambda: None
        """Called for each piece."""
        self.drained = 0
        self._is_slow = is_slow

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)

    @property
    def events(self) -> list[str]:
        """The data of a stream's events, and what is said of words and errors rather than their JSON."""
        return [_told(event.data) for event in SSEDecoder().feed(self.body) if event.data is not None]

    @property
    def error(self) -> dict[str, object]:
        """What stands under `error` in a body of JSON."""
        return msgspec.json.decode(self.body, type=dict[str, dict[str, object]])["error"]

    def header(self, name: str) -> str | None:
        """The value of the only field of this name."""
        found = [value.decode() for key, value in self.headers if key == name.encode()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    def start(self, status: int, headers: Headers) -> None:
        assert not self.pieces, "the head is out already"
        self.status = status
        self.headers = list(headers)

    def write(self, data: bytes) -> bool:
        assert self.status, "a body needs a head"
        assert not self.has_end, "nothing follows the end"
        self.pieces.append(data)
        self.on_piece()
        return not self._is_slow

    def end(self, data: bytes = b"") -> None:
        self.write(data)
        self.has_end = True

    async def drain(self) -> None:
        self.drained += 1
        await asyncio.sleep(1.0 if self._is_slow and not self.gone.is_set() else 0.0)

    async def left(self) -> None:
        await self.gone.wait()


class Stage:
    """A gateway with one offer of the model `small` at each provider, the first the cheapest."""

    def __init__(
        self,
        scripts: Mapping[str, Script | Sequence[Script]],
        clock: ManualClock,
        *,
        pacing: Pacing | None = None,
        timeouts: Timeouts | Mapping[str, Timeouts] = Timeouts(),  # noqa: B008 - a frozen value
        offers: Sequence[Offer] | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Providers by name, with what they do; another transport has nothing to do with their scripts."""
        self.clock = clock
        self.transport = transport if isinstance(transport, ScriptedTransport) else ScriptedTransport(scripts, clock)
        self.told: list[tuple[Job, Seen]] = []
        """All that `on_call` heard."""
        by_name = timeouts if isinstance(timeouts, Mapping) else dict.fromkeys(scripts, timeouts)
        endpoints = {
            name: Endpoint(provider=name, url=f"script://{name}", timeouts=by_name.get(name, Timeouts()))
            for name in scripts
        }
        sold = offers or [an_offer(name, price=_price(rank)) for rank, name in enumerate(scripts)]
        supply = Supply(sold, endpoints, allow_unpriced=any(offer.price is None for offer in sold))
        self._make = partial(
            Gateway,
            supply,
            pacing=pacing or a_pace(),
            transport=transport or self.transport,
            clock=clock,
            memory=Memory(clock),
        )
        self.under(Policies())

    def under(self, policies: Policies) -> Stage:
        """The same with these policies."""
        self.gateway = self._make(policies)
        self.gateway.on_call = lambda job, seen: self.told.append((job, seen))
        return self

    @property
    def tried(self) -> list[str]:
        """The providers that were asked, in order."""
        return [sent.provider for sent in self.transport.sent]

    @property
    def endings(self) -> list[Ending]:
        """How their answers ended."""
        return [answer.ending for answer in self.transport.answers]

    @property
    def seen(self) -> Seen:
        """What was told of the last call."""
        return self.told[-1][1]

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Of the last call: who failed, and how."""
        return [(provider, outcome.detail) for provider, outcome in self.seen.failures]

    async def ask(
        self,
        caller: Caller | None = None,
        *,
        body: bytes | None = None,
        stream: bool = False,
        wants_usage: bool = False,
        headers: Headers = (),
        asking: Asking = Asking(),  # noqa: B008 - a frozen value
    ) -> Caller:
        """Ask for `small`, and give back the caller who has heard all there is."""
        asked = body if body is not None else a_body(stream=stream or wants_usage, wants_usage=wants_usage)
        caller = caller or Caller()
        try:
            await self.gateway.answer(OpenAIChat(), asked, asking=asking, headers=headers, downstream=caller)
        finally:
            assert Ending.OPEN not in self.endings, "nothing goes on upstream once a call is over"
            assert 0 == self.gateway.open_calls
        return caller


def _price(rank: int) -> Price:
    """With a cache that is no cheaper: conversations are recognised, and cost what they would without."""
    rate = 1_000_000 * (rank + 1)
    return a_price(rate, 2 * rate, cache_read=rate)


class _Choice(msgspec.Struct):
    delta: dict[str, str] = {}
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: dict[str, object] | None = None
    usage: dict[str, int] | None = None


def _told(data: bytes) -> str:
    if data == b"[DONE]":
        return "[DONE]"
    chunk = msgspec.json.decode(data, type=_Chunk)
    if chunk.error is not None:
        return f"error: {chunk.error['message']}"
    if not chunk.choices:
        return f"usage: {chunk.usage}"
    choice = chunk.choices[0]
    if choice.finish_reason:
        return f"finish: {choice.finish_reason}"
    return choice.delta.get("content") or f"role: {choice.delta.get('role')}"
