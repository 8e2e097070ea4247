"""One attempt: send the request to one offer, read until its first real output, say what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from satisfice.attempt.outcome import Fault, Outcome, broken, classify
from satisfice.attempt.pacing import Pacing
from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Msat, Usage
from satisfice.core.clock import Clock
from satisfice.core.errors import Break, Broken
from satisfice.ports import Answer, Endpoint, Headers, Sending, Transport
from satisfice.routing.select import Candidate
from satisfice.wire.observer import StreamObserver
from satisfice.wire.request import Dialect, Request

__all__ = ["Held", "Job", "Refused", "Relayed", "World", "attempt", "pricing"]

_MAX_ANSWER: Final = 64 << 20
_MAX_ERROR: Final = 1 << 20
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


class Job(NamedTuple):
    """What one call is about."""

    request_id: str
    request: Request
    dialect: Dialect
    candidates: Sequence[Candidate]
    """Ranked, at least one."""
    headers: Headers
    """Fields of the caller's to hand on."""
    started: float
    """On the injected clock."""


class Held(NamedTuple):
    """An attempt that has answered and waits to be committed."""

    offer: Offer
    answer: Answer
    body: bytes
    """Unstreamed: all of it. Streamed: what may go out first."""
    observer: StreamObserver | None
    """None: unstreamed."""
    usage: Usage | None


class Relayed(NamedTuple):
    """An upstream's answer that is handed on as it is, because it is about the caller's own mistake."""

    status: int
    headers: Headers
    body: bytes


class Refused(Exception):  # noqa: N818 - news for the machine, not an error of ours
    """The attempt failed, and this is how."""

    def __init__(self, outcome: Outcome, relayed: Relayed | None = None) -> None:
        """What it means, and the answer to hand on if it is the caller's fault."""
        super().__init__(outcome.detail)
        self.outcome = outcome
        self.relayed = relayed


def pricing(offer: Offer) -> Callable[[Usage], Msat | None]:
    """From usage to cost at this offer's price; None where the price is not known."""
    price = offer.price
    return _unknown if price is None else price.cost


async def attempt(world: World, job: Job, rank: int) -> Held:
    """Try the candidate of this rank; `Refused` if it fails before its first real output."""
    offer = job.candidates[rank].offer
    endpoint = world.endpoints[offer.provider]
    body = job.dialect.prepare(job.request, offer.upstream_model)
    expires_at = job.started + endpoint.timeouts.total
    answer = None
    try:
        answer = await world.transport.open(endpoint, Sending(job.dialect.path, body, job.headers, expires_at))
        if not 200 <= answer.status <= 299:
            raise _refusal(world, answer, await answer.read(_MAX_ERROR))
        if job.request.stream and _is_stream(answer.headers):
            return await _first_output(world, job, offer, answer)
        return await _whole(world, job, offer, answer)
    except Broken as news:
        raise Refused(broken(news)) from news
    except BaseException:
        if answer is not None:
            answer.abort()
        raise


async def _whole(world: World, job: Job, offer: Offer, answer: Answer) -> Held:
    answer.flow()
    body = await answer.read(_MAX_ANSWER)
    reading = job.dialect.read(body)
    if reading.error_status is not None:
        raise _refusal(world, answer, body, reading.error_status)
    if job.request.stream:
        raise Broken(Break.MALFORMED, "a stream was asked for and a whole answer came")
    return Held(offer, answer, body, None, reading.usage)


async def _first_output(world: World, job: Job, offer: Offer, answer: Answer) -> Held:
    observer = StreamObserver(job.dialect, job.request, pricing(offer))
    first = b""
    while not observer.has_output:
        data = await answer.chunk()
        if not data:
            raise Broken(Break.CUT, "the stream ended before its first output")
        first = observer.feed(data)
        if observer.error is not None and not observer.has_output:
            raise _refusal(world, answer, observer.error.body, observer.error.error_status)
    answer.flow()
    return Held(offer, answer, first, observer, None)


def _refusal(world: World, answer: Answer, body: bytes, meant: int | None = None) -> Refused:
    """The failure that an error answer means; `meant` is the status that a 200 should have had."""
    status, headers = (answer.status, answer.headers) if meant is None else (meant, _JSON)
    outcome = classify(status, answer.headers, body, unix_ms=world.clock.unix_ms())
    return Refused(outcome, Relayed(status, headers, body) if outcome.fault is Fault.CALLER else None)


def _is_stream(headers: Headers) -> bool:
    return any(name == b"content-type" and value[:17].lower() == b"text/event-stream" for name, value in headers)


def _unknown(_: Usage) -> None:
    """The cost at a price that is not known."""
