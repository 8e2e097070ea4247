"""The one exception tree; every error knows its code, its status, whose fault it is and what to do now.

    GatewayError
    ├── CallerError                 the request can't be served as it is
    │   ├── BadRequest              400  not JSON, not an object, a key of the wrong kind
    │   ├── BadKey                  401  no access token, or a wrong one
    │   ├── ForeignOrigin           403  a page of another site asks
    │   ├── UnknownPolicy           400  there is no policy of this name
    │   ├── UnknownModel            404  nobody sells this model
    │   ├── NoCandidate             400  what is asked for is sold, but not so: no offer qualifies
    │   ├── UnknownPath             404  nothing is served here
    │   ├── WrongMethod             405  served here, but not so
    │   ├── TooLarge                413  the body is over the limit
    │   └── HeadTooLarge            431  the head is over the limit
    ├── UpstreamError               every offer was tried and none answered
    │   ├── UpstreamFailed          502  broken, refused, cut
    │   ├── UpstreamBusy            429  all at their limit
    │   ├── UpstreamUnfunded        402  the operator's account there is empty
    │   └── UpstreamTimeout         504  too slow
    ├── AllResting                  503  every offer that qualifies has failed lately and is left alone
    ├── Draining                    503  the gateway is stopping
    ├── Internal                    500  a bug of ours
    └── ConfigError                 500  the operator has to change a setting

`Broken` stands apart: it is what a transport raises when one attempt fails,
and never reaches a caller as it is.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

__all__ = [
    "AllResting",
    "BadKey",
    "BadRequest",
    "Break",
    "Broken",
    "CallerError",
    "ConfigError",
    "Draining",
    "ForeignOrigin",
    "GatewayError",
    "HeadTooLarge",
    "Internal",
    "NoCandidate",
    "Source",
    "TooLarge",
    "UnknownModel",
    "UnknownPath",
    "UnknownPolicy",
    "UpstreamBusy",
    "UpstreamError",
    "UpstreamFailed",
    "UpstreamTimeout",
    "UpstreamUnfunded",
    "WrongMethod",
]


class Source(Enum):
    """Whose fault an error is; the value of the header `x-satisfice-error-source`."""

    CALLER = "caller"
    GATEWAY = "gateway"
    UPSTREAM = "upstream"
    PAYMENT = "payment"
    CONFIG = "config"


class GatewayError(Exception):
    """Something a caller or an operator has to hear about."""

    code: ClassVar[str] = "internal"
    source: ClassVar[Source] = Source.GATEWAY
    status: int = 500
    hint: str = "Look the request id up in the gateway's log."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """What happened, in one sentence; the rest where it is more exact than the kind's own."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        """Seconds after which the caller may try again."""
        if hint is not None:
            self.hint = hint
        if status is not None:
            self.status = status


class CallerError(GatewayError):
    """The request can't be served as it is; asking again changes nothing."""

    source = Source.CALLER


class BadRequest(CallerError):
    """The body or a key in it is not what the dialect says."""

    code = "bad_request"
    status = 400
    hint = "Correct the request body."


class BadKey(CallerError):
    """No access token, or a wrong one."""

    code = "invalid_api_key"
    status = 401
    hint = "Send the gateway's access token as `Authorization: Bearer …`."


class ForeignOrigin(CallerError):
    """A page of another site asks, and nothing shows that the operator wants it to."""

    code = "foreign_origin"
    status = 403
    hint = "Set an `access_token` under [server] and give it to the page's program."


class UnknownModel(CallerError):
    """Nobody offers the model asked for."""

    code = "model_not_found"
    status = 404
    hint = "GET /v1/models lists what is offered."


class UnknownPolicy(CallerError):
    """The caller names a policy that the configuration doesn't have."""

    code = "unknown_policy"
    status = 400
    hint = "Drop the header `x-satisfice-policy`, or add the policy to the configuration."


class NoCandidate(CallerError):
    """Offers there are, but each is ruled out for this call; the message says by what."""

    code = "no_candidate"
    status = 400
    hint = "Ask for less, or change the policy."


class UnknownPath(CallerError):
    """Nothing is served at this path."""

    code = "unknown_path"
    status = 404
    hint = "The API is at /v1: POST /v1/chat/completions, GET /v1/models."


class WrongMethod(CallerError):
    """The path is served, but not with this method."""

    code = "method_not_allowed"
    status = 405
    hint = "See the `allow` header."


class TooLarge(CallerError):
    """The body is over the limit."""

    code = "body_too_large"
    status = 413
    hint = "Send less, or raise `max_body_mib` under [server]."


class HeadTooLarge(CallerError):
    """Request line and header fields are over the limit."""

    code = "head_too_large"
    status = 431
    hint = "Send fewer or shorter header fields."


class UpstreamError(GatewayError):
    """Every offer was tried and none answered."""

    source = Source.UPSTREAM
    hint = "Try again, or add another provider of this model."


class UpstreamFailed(UpstreamError):
    """The last offers were broken, refused or cut."""

    code = "upstream_failed"
    status = 502


class UpstreamBusy(UpstreamError):
    """The offers are at their limit."""

    code = "rate_limit_exceeded"
    status = 429
    hint = "Wait as `retry-after` says, or add another provider of this model."


class UpstreamUnfunded(UpstreamError):
    """The operator's account at every provider is empty."""

    code = "insufficient_quota"  # the code at which clients stop asking
    status = 402
    source = Source.PAYMENT
    hint = "Top the account at the provider up, or add another provider of this model."


class UpstreamTimeout(UpstreamError):
    """The offers were too slow."""

    code = "upstream_timeout"
    status = 504
    hint = "Try again, or raise the provider's timeouts."


class AllResting(GatewayError):
    """Every offer that qualifies has failed lately, so nothing is sent; the message says which and why."""

    code = "circuit_open"
    status = 503
    source = Source.UPSTREAM
    hint = "Wait as `retry-after` says, or add another provider of this model."


class Draining(GatewayError):
    """The gateway is stopping and takes no new calls."""

    code = "draining"
    status = 503
    hint = "Try again in a moment."


class Internal(GatewayError):
    """A bug of ours."""


class ConfigError(GatewayError):
    """The operator has to change a setting."""

    code = "config"
    source = Source.CONFIG
    hint = "Run `satisfice check`."


class Break(Enum):
    """How an attempt can break below the level of statuses."""

    REFUSED = "connection refused"
    UNREACHABLE = "address not found or not reachable"
    CONNECT_TIMEOUT = "no connection in time"
    TLS = "TLS failed"
    PROXY = "the proxy refused"
    FIRST_BYTE_TIMEOUT = "no output in time"
    IDLE_TIMEOUT = "fell silent"
    TOTAL_TIMEOUT = "took too long in all"
    CUT = "cut before its end"
    MALFORMED = "malformed"
    TOO_LARGE = "larger than the limit"


class Broken(Exception):
    """The one exception of a transport, news rather than an error of ours: the attempt is over and this is how."""

    def __init__(self, kind: Break, detail: str = "") -> None:
        """The kind, and what the layer below said of it (never a secret)."""
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
