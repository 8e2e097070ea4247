"""One attempt: send the request to one offer, read until its first real output, say what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from satisfice.attempt.outcome import Fault, Outcome, broken, classify
from satisfice.attempt.pacing import Pacing
from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Msat, Usage
from satisfice.core.clock import Clock
from satisfice.core.errors import Break, Broken
from satisfice.engine.memory import Memory
from satisfice.engine.visit import Visit
from satisfice.health.book import Trouble
from satisfice.ports import Answer, Endpoint, Headers, Sending, Transport
from satisfice.routing.cost import Candidate
from satisfice.routing.select import Decision
from satisfice.wire.observer import StreamObserver
from satisfice.wire.request import Dialect, Request

__all__ = ["Held", "Job", "Refused", "Relayed", "World", "attempt", "pricing"]

_MAX_ANSWER: Final = 64 << 20
_MAX_ERROR: Final = 1 << 20
_ERROR_PATIENCE: Final = 5.0
_JSON: Final = ((b"content-type", b"application/json"),)


class World(NamedTuple):
    """What all calls of a gateway share."""

    transport: Transport
    clock: Clock
    endpoints: Mapping[str, Endpoint]
    """By the provider's name."""
    pacing: Pacing
    longest: float
    """The longest total timeout of any provider, in seconds."""
    memory: Memory
    """What calls have taught us of offers."""

    def enter(self, offer: Offer) -> Visit | Trouble:
        """Begin an attempt there, if its breaker lets it in."""
        now = self.clock.now()
        lease = self.endpoints[offer.provider].timeouts.total
        permit = self.memory.health.admit(offer, now, lease=lease)
        if isinstance(permit, Trouble):
            return permit
        return Visit(self.memory.health, permit, clock=self.clock, lease=lease)


class Job(msgspec.Struct, frozen=True, gc=False):
    """What one call is about."""

    request_id: str
    request: Request
    dialect: Dialect
    decision: Decision
    headers: Headers
    """Fields of the caller's to hand on."""
    started: float
    """On the injected clock."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """An attempt that has answered and waits to be committed."""

    candidate: Candidate
    answer: Answer
    body: bytes
    """Unstreamed: all of it. Streamed: what may go out first."""
    observer: StreamObserver | None
    """None: unstreamed."""
    usage: Usage | None
    charged: Msat | None = None
    """What the provider says it took, if it said so with a whole answer."""

    @property
    def offer(self) -> Offer:
        """Who answered."""
        return self.candidate.offer


class Relayed(msgspec.Struct, frozen=True, gc=False):
    """An upstream's answer that is handed on as it is, because it is about the caller's own mistake."""

    status: int
    headers: Headers
    body: bytes


class Refused(Exception):
    """News for the machine: the attempt failed, and this is how."""

    def __init__(self, outcome: Outcome, relayed: Relayed | None = None, *, is_spent: bool = False) -> None:
        """What it means, and the answer to hand on if it is about the call; is the provider's time for it over?"""
        super().__init__(outcome.detail)
        self.outcome = outcome
        self.relayed = relayed
        self.is_spent = is_spent


def pricing(offer: Offer) -> Callable[[Usage], Msat | None]:
    """From usage to cost at this offer's price; None where the price is not known."""
    price = offer.price
    return _unknown if price is None else price.cost


async def attempt(world: World, job: Job, *, rank: int) -> Held:
    """Try the candidate of this rank; `Refused` if it fails before its first real output."""
    candidate = job.decision.candidates[rank]
    offer = candidate.offer
    endpoint = world.endpoints[offer.provider]
    body = job.dialect.prepare(job.request, offer.upstream_model)
    expires_at = job.started + endpoint.timeouts.total
    try:
        answer = await world.transport.open(endpoint, Sending(job.dialect.path, body, job.headers, expires_at))
        try:
            if not 200 <= answer.status <= 299:
                raise _refusal(answer, await _error_body(answer), world=world)
            if job.request.stream and _is_stream(answer.headers):
                return await _first_output(job, candidate, answer=answer, world=world)
            return await _whole(job, candidate, answer=answer, world=world)
        except BaseException:
            answer.abort()
            raise
    except Broken as news:
        raise _lost(news, endpoint, world=world) from news


async def _error_body(answer: Answer) -> bytes | None:
    """An error whose body breaks or takes its time is still an error of its status, and another offer waits."""
    try:
        async with asyncio.timeout(_ERROR_PATIENCE):
            return await answer.read(_MAX_ERROR)
    except (Broken, TimeoutError):
        return None


async def _whole(job: Job, candidate: Candidate, *, answer: Answer, world: World) -> Held:
    answer.flow()
    body = await answer.read(_MAX_ANSWER)
    reading = job.dialect.read(body)
    if reading.error_status is not None:
        raise _refusal(answer, body, world=world, meant=reading.error_status)
    if job.request.stream:
        raise Refused(_NO_STREAM)
    return Held(candidate, answer, body, None, reading.usage, reading.charged or _charge(answer.headers))


async def _first_output(job: Job, candidate: Candidate, *, answer: Answer, world: World) -> Held:
    observer = StreamObserver(job.dialect, job.request, cost=pricing(candidate.offer))
    first = b""
    while not observer.has_output:
        data = await answer.chunk()
        if not data:
            raise Broken(Break.CUT, "the stream ended before its first output")
        first = observer.feed(data)
        if observer.error is not None and not observer.has_output:
            raise _refusal(answer, observer.error.body, world=world, meant=observer.error.error_status)
    answer.flow(is_endless=True)
    return Held(candidate, answer, first, observer, None)


def _refusal(answer: Answer, body: bytes | None, *, world: World, meant: int | None = None) -> Refused:
    """The failure that an error answer means; `meant` is the status that a 200 should have had; None: it broke."""
    status, headers = (answer.status, answer.headers) if meant is None else (meant, _JSON)
    outcome = classify(status, answer.headers, body=body or b"", unix_ms=world.clock.unix_ms())
    # What is about the call but said with a 5xx would make clients ask again.
    is_relayed = outcome.fault.is_about_call and body is not None and 400 <= status <= 499
    return Refused(outcome, Relayed(status, headers, body or b"") if is_relayed else None)


def _lost(news: Broken, endpoint: Endpoint, *, world: World) -> Refused:
    """The failure that a break means. Where this provider's time for a call is over, another's need not be."""
    outcome = broken(news)
    if outcome.is_final and endpoint.timeouts.total < world.longest:
        return Refused(msgspec.structs.replace(outcome, is_final=False), is_spent=True)
    return Refused(outcome)


def _charge(headers: Headers) -> Msat | None:
    """What a node of Routstr says that it took, in the head of a whole answer."""
    for name, value in headers:
        if name == b"x-routstr-cost-msats" and value.isdigit():
            return Msat(int(value[:18]))
    return None


def _is_stream(headers: Headers) -> bool:
    return any(name == b"content-type" and value[:17].lower() == b"text/event-stream" for name, value in headers)


def _unknown(_: Usage) -> None:
    """The cost at a price that is not known."""


# Some servers know no streams. The answer is there, but not in the shape that the caller can read.
_NO_STREAM: Final = Outcome(
    Fault.ABILITY, "it does not stream: a whole answer came for a request with `stream`; ask again without"
)
