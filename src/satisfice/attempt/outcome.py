"""What an upstream's answer means: whose fault is it, and so who hears about it and whether another offer is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

import msgspec

from satisfice.core.errors import (
    Break,
    Broken,
    ConfigError,
    GatewayError,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnfunded,
)

__all__ = ["Fault", "Outcome", "broken", "classify", "summarise"]


class Fault(Enum):
    """Whose fault a failed attempt is; it decides what comes next."""

    CALLER = "caller"
    """The request is wrong everywhere: relay the answer, don't retry, don't blame the offer."""
    UPSTREAM = "upstream"
    """Broken there: try elsewhere, and later here again."""
    OFFER = "offer"
    """The offer does not stand for this call (no such model, body too large there): elsewhere, not here again."""
    CAPACITY = "capacity"
    """At its limit: try elsewhere, and here again when it says so."""
    FUNDS = "funds"
    """Our account there is empty: try elsewhere, not here again."""
    KEY = "key"
    """Our key is refused there: try elsewhere, tell the operator."""

    @property
    def is_passing(self) -> bool:
        """Time may mend it: the same offer may answer later."""
        return self in {Fault.UPSTREAM, Fault.CAPACITY}

    @property
    def is_operators(self) -> bool:
        """It is between the operator and the provider; its status would tell the caller something untrue."""
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


class _Said(msgspec.Struct):
    message: str | None = None
    code: str | int | float | None = None


class _Body(msgspec.Struct):
    error: _Said | str | None = None
    message: str | None = None
    detail: str | None = None


_body = msgspec.json.Decoder(_Body).decode
_LONGEST_SAID: Final = 300
_TIMEOUTS: Final = frozenset((Break.CONNECT_TIMEOUT, Break.FIRST_BYTE_TIMEOUT, Break.IDLE_TIMEOUT, Break.TOTAL_TIMEOUT))
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
}
_FAULTS: Final[Mapping[int, Fault]] = {
    401: Fault.KEY,
    402: Fault.FUNDS,
    403: Fault.KEY,
    404: Fault.OFFER,
    408: Fault.UPSTREAM,
    409: Fault.UPSTREAM,
    410: Fault.OFFER,
    413: Fault.OFFER,
    425: Fault.UPSTREAM,
    429: Fault.CAPACITY,
    _OVERLOADED: Fault.CAPACITY,
}


def classify(status: int, headers: Sequence[tuple[bytes, bytes]], *, body: bytes, unix_ms: int) -> Outcome:
    """What an error answer means; `unix_ms` is now, to read dates in `Retry-After`."""
    code, message = _said(body)
    wait = _retry_after(headers, unix_ms)
    fault = _FAULTS.get(status)
    if fault is None:
        fault = Fault.CALLER if 400 <= status < 500 else Fault.UPSTREAM
    if isinstance(code, str) and fault in {Fault.CALLER, Fault.CAPACITY}:
        fault = _CODES.get(code, fault)
    if status == 503 and wait is not None:
        fault = Fault.CAPACITY
    return Outcome(fault, f"status {status}", status=status, retry_after=wait, said=message)


def broken(news: Broken) -> Outcome:
    """What it means that an attempt broke below the level of statuses."""
    return Outcome(
        Fault.UPSTREAM,
        str(news),
        is_timeout=news.kind in _TIMEOUTS,
        is_final=news.kind is Break.TOTAL_TIMEOUT,
    )


def summarise(failures: Sequence[tuple[str, Outcome]]) -> GatewayError:
    """The one error to tell the caller when every attempt failed; `failures` are providers and outcomes, in order."""
    story = "; ".join(f"{provider}: {outcome.detail}" + _quote(outcome) for provider, outcome in failures)
    message = f"No offer answered. Tried {story}."
    outcomes = [outcome for _, outcome in failures]
    if all(outcome.fault is Fault.CAPACITY for outcome in outcomes):
        waits = [outcome.retry_after for outcome in outcomes if outcome.retry_after is not None]
        return UpstreamBusy(message, retry_after=min(waits, default=None))
    if all(outcome.fault is Fault.FUNDS for outcome in outcomes):
        return UpstreamUnfunded(message)
    if all(outcome.fault is Fault.KEY for outcome in outcomes):
        return ConfigError(message, hint="Check the provider's key in the gateway's configuration.")
    # Of several, what may pass is told: the caller can ask again, which for a model that isn't there makes no sense.
    told = next((outcome for outcome in reversed(outcomes) if outcome.fault.is_passing), outcomes[-1])
    if told.is_timeout:
        return UpstreamTimeout(message)
    is_error = told.status is not None and told.status >= 400 and not told.fault.is_operators
    return UpstreamFailed(message, status=told.status if is_error else None, retry_after=told.retry_after)


def _quote(outcome: Outcome) -> str:
    """Who refuses our key may quote it."""
    return f" ({outcome.said})" if outcome.said and outcome.fault is not Fault.KEY else ""


def _said(body: bytes) -> tuple[str | int | float | None, str | None]:
    """Code and message of an error body in any of the usual shapes; nothing of what is no such body."""
    try:
        read = _body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    error = _Said(read.error) if isinstance(read.error, str) else read.error or _Said()
    message = error.message or read.message or read.detail
    return error.code, message[:_LONGEST_SAID] if message else None


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
