"""What an upstream's answer means: whose fault is it, and so who hears about it and whether another offer is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

import msgspec

from satisfice.attempt.complaint import Complaint, read_complaint
from satisfice.core.errors import (
    AllResting,
    Break,
    Broken,
    ConfigError,
    GatewayError,
    NoCandidate,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnfunded,
)
from satisfice.wire.request import Ability

__all__ = ["Fault", "Outcome", "broken", "classify", "summarise"]


class Fault(Enum):
    """Whose fault a failed attempt is; it decides what comes next, and what it means for the offer's health."""

    CALLER = "caller"
    """The request is wrong everywhere: relay the answer, don't retry, don't blame the offer."""
    CONTEXT = "context"
    """The call is too long for this offer's window: try those whose window is larger, don't blame the offer."""
    ABILITY = "ability"
    """The offer can't do what this call needs: try elsewhere, not here again, don't blame the offer."""
    UPSTREAM = "upstream"
    """Broken there: try elsewhere, and later here again."""
    OFFER = "offer"
    """The offer does not stand (no such model): elsewhere, not here again."""
    CAPACITY = "capacity"
    """At its limit: try elsewhere, and here again when it says so."""
    FUNDS = "funds"
    """Our account there is empty: try elsewhere, not here again."""
    KEY = "key"
    """Our key is refused there: try elsewhere, tell the operator."""

    @property
    def is_about_call(self) -> bool:
        """Another call may do well there: it says nothing of the offer's health, and the caller should hear of it."""
        return self in {Fault.CALLER, Fault.CONTEXT, Fault.ABILITY}

    @property
    def trips(self) -> bool:
        """It counts as a failure of the offer: so many of them open its breaker."""
        return self is Fault.UPSTREAM

    @property
    def rests(self) -> bool:
        """The offer is to be left alone for a while, and all of its provider if the fault is the operator's."""
        return self in {Fault.OFFER, Fault.CAPACITY, Fault.FUNDS, Fault.KEY}

    @property
    def is_passing(self) -> bool:
        """Time may mend it: the same offer may answer later."""
        return self in {Fault.UPSTREAM, Fault.CAPACITY}

    @property
    def is_operators(self) -> bool:
        """It is between the operator and the whole provider; its status would tell the caller something untrue."""
        return self in {Fault.FUNDS, Fault.KEY}


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a failed attempt ended."""

    fault: Fault
    detail: str
    """In words, without secrets: `status 500`, `connection refused`."""
    status: int | None = None
    """None: no answer came."""
    retry_after: float | None = None
    """Seconds the upstream wants to be left alone."""
    is_timeout: bool = False
    is_final: bool = False
    """There is no time left for any other attempt."""
    said: str | None = None
    """What the upstream said, for people."""
    is_providers: bool = False
    """Nothing of the provider can be reached: no connection, no TLS, no proxy."""
    is_denied: bool = False
    """Nothing was sent: the offer is left alone for now."""
    learnt_context: int | None = None
    """How many tokens the offer's window has, or its part for prompts if only that was told."""
    learnt_lack: Ability | None = None
    """What the offer can't do."""


_TIMEOUTS: Final = frozenset((Break.CONNECT_TIMEOUT, Break.FIRST_BYTE_TIMEOUT, Break.IDLE_TIMEOUT, Break.TOTAL_TIMEOUT))
_UNREACHED: Final = frozenset((Break.REFUSED, Break.UNREACHABLE, Break.CONNECT_TIMEOUT, Break.TLS, Break.PROXY))
_OVERLOADED: Final = 529  # Anthropic's own (https://docs.anthropic.com/en/api/errors)
# What a 400 or a 429 means in truth. OpenAI says by a 429 that the account is empty
# (https://platform.openai.com/docs/guides/error-codes, 2026-11); others say by a 400 that it is the model, or our key.
_CODES: Final[Mapping[str, Fault]] = {
    "model_not_found": Fault.OFFER,
    "model_not_available": Fault.OFFER,
    "unknown_model": Fault.OFFER,
    "invalid_model": Fault.OFFER,
    "insufficient_quota": Fault.FUNDS,
    "billing_hard_limit_reached": Fault.FUNDS,
    "billing_not_active": Fault.FUNDS,
    "invalid_api_key": Fault.KEY,
    "API_KEY_INVALID": Fault.KEY,
    "account_deactivated": Fault.KEY,
    "no_candidate": Fault.ABILITY,  # a gateway like us
}
_FAULTS: Final[Mapping[int, Fault]] = {
    401: Fault.KEY,
    402: Fault.FUNDS,
    403: Fault.KEY,
    404: Fault.OFFER,
    408: Fault.UPSTREAM,
    409: Fault.UPSTREAM,
    410: Fault.OFFER,
    413: Fault.ABILITY,
    425: Fault.UPSTREAM,
    429: Fault.CAPACITY,
    _OVERLOADED: Fault.CAPACITY,
}


def classify(status: int, headers: Sequence[tuple[bytes, bytes]], *, body: bytes, unix_ms: int) -> Outcome:
    """What an error answer means; `unix_ms` is now, to read dates in `Retry-After`."""
    complaint = read_complaint(body)
    wait = _retry_after(headers, unix_ms)
    fault = _believed(_fault_of(status, is_timed=wait is not None), complaint)
    return Outcome(
        fault,
        f"status {status}",
        status=status,
        retry_after=wait,
        said=complaint.message,
        learnt_context=complaint.context if fault is Fault.CONTEXT else None,
        learnt_lack=complaint.lacks if fault is Fault.ABILITY else None,
    )


def broken(news: Broken) -> Outcome:
    """What it means that an attempt broke below the level of statuses."""
    return Outcome(
        Fault.UPSTREAM,
        str(news),
        is_timeout=news.kind in _TIMEOUTS,
        is_final=news.kind is Break.TOTAL_TIMEOUT,
        is_providers=news.kind in _UNREACHED,
    )


def summarise(failures: Sequence[tuple[str, Outcome]]) -> GatewayError:
    """The one error to tell the caller when every attempt failed; `failures` are providers and outcomes, in order."""
    story = "; ".join(f"{provider}: {outcome.detail}" + _quote(outcome) for provider, outcome in failures)
    message = f"No offer answered. Tried {story}."
    outcomes = [outcome for _, outcome in failures]
    waits = [outcome.retry_after for outcome in outcomes if outcome.retry_after is not None]
    if all(outcome.is_denied for outcome in outcomes):
        return AllResting(f"No offer is asked at present. {story}.", retry_after=min(waits, default=None))
    if all(outcome.fault.is_about_call for outcome in outcomes):
        last = outcomes[-1]
        status = last.status if last.fault is Fault.CALLER else None  # any other is the offer's way to say it
        hint = "Correct the request, or ask for less."
        return NoCandidate(f"No offer takes this call. Tried {story}.", hint=hint, status=status)
    if all(outcome.fault is Fault.CAPACITY for outcome in outcomes):
        return UpstreamBusy(message, retry_after=min(waits, default=None))
    if all(outcome.fault is Fault.FUNDS for outcome in outcomes):
        return UpstreamUnfunded(message)
    if all(outcome.fault is Fault.KEY for outcome in outcomes):
        return ConfigError(message, hint="Check the provider's key in the gateway's configuration.")
    return _failed(message, outcomes)


def _failed(message: str, outcomes: Sequence[Outcome]) -> GatewayError:
    """Of several, what may pass is told: the caller can ask again, which for a model that isn't there makes no sense.

    That a call is too much for one offer is not told if at another the call was not to blame.
    """
    to_blame = [outcome for outcome in outcomes if not outcome.fault.is_about_call]
    told = next((outcome for outcome in reversed(to_blame) if outcome.fault.is_passing), to_blame[-1])
    if told.is_timeout:
        return UpstreamTimeout(message)
    is_error = told.status is not None and told.status >= 400 and not told.fault.is_operators
    return UpstreamFailed(message, status=told.status if is_error else None, retry_after=told.retry_after)


def _quote(outcome: Outcome) -> str:
    """Who refuses our key may quote it."""
    return f" ({outcome.said})" if outcome.said and outcome.fault is not Fault.KEY else ""


def _fault_of(status: int, *, is_timed: bool) -> Fault:
    """By the status alone; `is_timed`: it says when to come back."""
    if status == 503 and is_timed:
        return Fault.CAPACITY
    return _FAULTS.get(status) or (Fault.CALLER if 400 <= status < 500 else Fault.UPSTREAM)


def _believed(fault: Fault, complaint: Complaint) -> Fault:
    """What is said corrects the status; but that we are at a limit, or not to be served at all, stays as it is."""
    if complaint.code is not None and fault in {Fault.CALLER, Fault.CAPACITY}:
        fault = _CODES.get(complaint.code, fault)
    if fault in {Fault.CAPACITY, Fault.FUNDS, Fault.KEY}:
        return fault
    if complaint.is_too_long:
        return Fault.CONTEXT
    return Fault.ABILITY if complaint.is_beyond else fault


def _retry_after(headers: Sequence[tuple[bytes, bytes]], unix_ms: int) -> float | None:
    """RFC 9110 section 10.2.3: seconds or a date. What is neither counts as absent."""
    value = next((value for name, value in headers if name == b"retry-after"), b"").decode("latin-1").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    # A date without a zone is in GMT, as all HTTP dates are, and not in the zone of this machine.
    return max(0.0, until.replace(tzinfo=until.tzinfo or UTC).timestamp() - unix_ms / 1_000)
