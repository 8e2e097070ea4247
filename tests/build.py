"""Builders with good defaults, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from satisfice.attempt.outcome import Fault, Outcome
from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.catalog.lessons import Lessons
from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Catalog, Offer, Price
from satisfice.core.amounts import Msat, Rate, Usage
from satisfice.core.clock import ManualClock
from satisfice.health.book import HealthBook
from satisfice.health.breaker import Limits
from satisfice.routing.charges import Charges
from satisfice.routing.conversation import Conversations
from satisfice.routing.cost import Conditions
from satisfice.routing.forecast import Forecast
from satisfice.routing.policy import NONE, Applied
from satisfice.routing.pool import Pool, Pools
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Ability, Request

__all__ = [
    "a_body",
    "a_catalog",
    "a_pacing",
    "a_pool",
    "a_price",
    "a_request",
    "a_usage",
    "an_offer",
    "an_outcome",
    "some_conditions",
]

_PLENTY: Final = RetryBudget(ratio=1.0, reserve=1_000.0)


def a_price(
    input_rate: int = 1_000_000, output_rate: int = 2_000_000, *, cache_read: int | None = None, base_fee: int = 0
) -> Price:
    """One msat a token in, two a token out."""
    cached = None if cache_read is None else Rate(cache_read)
    return Price(input=Rate(input_rate), output=Rate(output_rate), cache_read=cached, base_fee=Msat(base_fee))


_A_PRICE: Final = a_price()


def an_offer(
    provider: str = "acme", model: str = "small", *, price: Price | None = _A_PRICE, upstream_model: str | None = None
) -> Offer:
    """The model `small` at `acme`, which calls it so too."""
    return Offer(provider=provider, model=ModelId(model), upstream_model=upstream_model or model, price=price)


def a_catalog(offers: Iterable[Offer] | None = None) -> Catalog:
    """A catalog of one offer."""
    return Catalog((an_offer(),) if offers is None else offers)


def a_body(model: str = "small", *, prompt: str = "Hello", stream: bool = False, wants_usage: bool = False) -> bytes:
    """The body of a chat request."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if stream:
        body["stream"] = True
    if wants_usage:
        body["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(body)


def a_request(
    model: str = "small",
    *,
    prompt: str = "Hello",
    stream: bool = False,
    wants_usage: bool = False,
    max_output: int | None = None,
    choices: int = 1,
) -> Request:
    """A chat request, parsed."""
    body = a_body(model, prompt=prompt, stream=stream, wants_usage=wants_usage)
    request = OpenAIChat().parse(body)
    return msgspec.structs.replace(request, max_output=max_output, choices=choices)


def a_usage(uncached: int = 19, text: int = 10, *, cache_read: int = 0, reasoning: int = 0) -> Usage:
    """Nineteen tokens in, ten out."""
    return Usage(uncached=uncached, text=text, cache_read=cache_read, reasoning=reasoning)


def an_outcome(
    fault: Fault = Fault.UPSTREAM,
    *,
    status: int | None = 500,
    retry_after: float | None = None,
    is_timeout: bool = False,
    is_final: bool = False,
    said: str | None = None,
) -> Outcome:
    """A failure that another offer may mend."""
    detail = "cut" if status is None else f"status {status}"
    return Outcome(fault, detail, status, retry_after, is_timeout, is_final, said)


def some_conditions(
    clock: ManualClock | None = None,
    *,
    health: HealthBook | None = None,
    forecast: Forecast | None = None,
    charges: Charges | None = None,
    conversations: Conversations | None = None,
    turn: int = 0,
) -> Conditions:
    """Nothing is known yet of anybody."""
    clock = clock or ManualClock()
    return Conditions(
        clock.now(),
        forecast or Forecast(),
        charges or Charges(),
        conversations or Conversations(lifetimes={}),
        health or HealthBook(Limits(), chance=clock.chance),
        clock.chance,
        turn,
    )


def a_pool(
    offers: Iterable[Offer], asked: str = "small", *, applied: Applied = NONE, needs: Ability | None = None
) -> Pool:
    """The pool of who asks for `small` of these offers."""
    return Pools(Catalog(offers), Lessons()).find(asked, applied, needs=frozenset(() if needs is None else (needs,)))


def a_pacing(
    *,
    max_attempts: int = 4,
    hedge_after: float | None = None,
    longest_wait: float = 10.0,
    backoff: float = 1.0,
    budget: RetryBudget = _PLENTY,
) -> Pacing:
    """Four attempts, no hedge, a first backoff of half a second, a budget without end."""
    return Pacing(
        Backoff(backoff, 8 * backoff, chance=lambda: 0.5),
        budget,
        max_attempts,
        longest_wait=longest_wait,
        hedge_after=hedge_after,
    )
