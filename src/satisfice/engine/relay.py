"""Hands a committed attempt on to the caller: head, body, and an honest end."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from satisfice.attempt.outcome import Fault, Outcome, broken
from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Break, Broken, GatewayError, UpstreamFailed
from satisfice.engine.attempt import Held, Job, Relayed, pricing
from satisfice.ports import Downstream, Headers
from satisfice.wire.observer import StreamObserver
from satisfice.wire.request import Dialect

__all__ = ["Account", "bill", "relay", "relay_refusal", "tell", "tell_of"]

# What belongs to the connection or to the upstream's own house, and not to the answer.
_NOT_OURS_TO_HAND_ON: Final = frozenset(
    (
        # Whether a page of another origin may read the answer is for us to say, and we say no.
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-expose-headers",
        b"access-control-max-age",
        b"alt-svc",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"date",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
        b"x-accel-buffering",
        # An upstream may be a gateway like us.
        b"x-satisfice-cost-msat",
        b"x-satisfice-demo",
        b"x-satisfice-error-source",
        b"x-satisfice-expected-cost-msat",
        b"x-satisfice-model",
        b"x-satisfice-policy",
        b"x-satisfice-provider",
        b"x-satisfice-request-id",
        b"x-satisfice-retries",
    )
)
_PAYMENT_REQUIRED: Final = 402
_RETRIES: Final = tuple(b"%d" % n for n in range(100))


class Account(msgspec.Struct, frozen=True, gc=False):
    """What a relayed answer came to."""

    usage: Usage | None
    cost: Msat | None
    """None: not known, which is not the same as nothing."""
    charged: Msat | None
    """What the provider says it took; None: it didn't."""
    failure: Outcome | None
    """Why the caller did not get all of it; None: the caller did."""


async def relay(job: Job, held: Held, *, downstream: Downstream, retries: int) -> Account:
    """Hand the answer on to its end. What breaks now is told at the end of the stream: it is too late to retry."""
    head = _head(job, held.answer.headers)
    head.append((b"x-satisfice-provider", _ascii(held.offer.provider)))
    head.append((b"x-satisfice-model", _ascii(held.offer.model)))
    head.append((b"x-satisfice-retries", _RETRIES[retries]))
    if held.candidate.cost is not None:
        head.append((b"x-satisfice-expected-cost-msat", b"%d" % held.candidate.cost))
    if held.observer is None:
        return _whole(held, downstream, head=head)
    head.append((b"x-accel-buffering", b"no"))  # or an nginx in front would collect the stream
    downstream.start(held.answer.status, head)
    return await _stream(job, held, observer=held.observer, downstream=downstream)


def bill(held: Held, failure: Outcome | None = None) -> Account:
    """What an answer has come to so far."""
    observer = held.observer
    usage, charged = (held.usage, held.charged) if observer is None else (observer.usage, observer.charged)
    return Account(usage, None if usage is None else pricing(held.offer)(usage), charged, failure)


def relay_refusal(job: Job, refusal: Relayed, *, downstream: Downstream, retries: int) -> None:
    """Hand an upstream's error answer on unchanged."""
    head = _head(job, refusal.headers)
    head.append((b"content-length", b"%d" % len(refusal.body)))
    head.append((b"x-satisfice-retries", _RETRIES[retries]))
    head.append((b"x-satisfice-error-source", b"caller"))
    downstream.start(refusal.status, head)
    downstream.end(refusal.body)


def tell(
    error: GatewayError,
    downstream: Downstream,
    *,
    dialect: Dialect,
    request_id: str,
    retries: int = 0,
    beside: Headers = (),
) -> None:
    """Tell a caller who has seen nothing yet what went wrong, in the dialect's own shape; `beside` joins the head."""
    body = dialect.error(error, request_id)
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-satisfice-request-id", request_id.encode()),
        (b"x-satisfice-retries", _RETRIES[retries]),
        (b"x-satisfice-error-source", error.source.value.encode()),
        *beside,
    ]
    if error.retry_after is not None:
        head.append((b"retry-after", b"%d" % math.ceil(error.retry_after)))
    if error.status == _PAYMENT_REQUIRED:
        head.append((b"x-should-retry", b"false"))  # the official SDKs stop at it
    downstream.start(error.status, head)
    downstream.end(body)


def tell_of(error: GatewayError, job: Job, *, downstream: Downstream, retries: int) -> None:
    """Tell it of a call that was tried, with the policies that it was tried under."""
    tell(
        error,
        downstream,
        dialect=job.dialect,
        request_id=job.request_id,
        retries=retries,
        beside=_policies(job),
    )


def _whole(held: Held, downstream: Downstream, *, head: list[tuple[bytes, bytes]]) -> Account:
    account = bill(held)
    if account.cost is not None:
        head.append((b"x-satisfice-cost-msat", b"%d" % account.cost))
    head.append((b"content-length", b"%d" % len(held.body)))
    downstream.start(held.answer.status, head)
    downstream.end(held.body)
    return account


async def _stream(job: Job, held: Held, *, observer: StreamObserver, downstream: Downstream) -> Account:
    last = held.body
    failure: Outcome | None = None
    if not observer.is_over:
        downstream.write(last)
        last, failure = await _pump(held, observer, downstream=downstream)
    observed = observer.finish()
    last += observed.rest
    if observed.has_failed:  # the caller has the upstream's own error event
        failure = failure or _GIVEN_UP
    elif observer.is_over or (observed.is_complete and failure is None):
        failure = None
    else:
        failure = failure or _CUT
        error = UpstreamFailed(f"The stream from {held.offer.provider} broke: {failure.detail}.")
        last += job.dialect.error_event(error, job.request_id)
    downstream.end(last)
    held.answer.close()
    return bill(held, failure)


async def _pump(held: Held, observer: StreamObserver, *, downstream: Downstream) -> tuple[bytes, Outcome | None]:
    """Relay until the terminator, the end or a failure; returns what is to go out with the end, and the failure."""
    feed, write = observer.feed, downstream.write
    last = b""

    def sink(data: bytes) -> bool:
        nonlocal last
        out = feed(data)
        if observer.is_over:
            last = out
            return False
        return write(out) if out else True

    try:
        while await held.answer.pump(sink) and not observer.is_over:
            await downstream.drain()
    except Broken as news:
        held.answer.abort()
        return b"", broken(news)
    return last, None


def _head(job: Job, headers: Headers) -> list[tuple[bytes, bytes]]:
    head = [field for field in headers if field[0] not in _NOT_OURS_TO_HAND_ON]
    head.append((b"x-satisfice-request-id", job.request_id.encode()))
    head += _policies(job)
    return head


def _policies(job: Job) -> Headers:
    names = job.decision.pool.applied.names
    return ((b"x-satisfice-policy", _ascii(", ".join(names))),) if names else ()


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "backslashreplace")


_CUT: Final = broken(Broken(Break.CUT))
_GIVEN_UP: Final = Outcome(Fault.UPSTREAM, "the upstream ended the stream with an error")
