"""What an offer is expected to cost this request."""

from __future__ import annotations

from typing import Final, NamedTuple

from satisfice.catalog.offers import Price
from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.wire.request import Request

__all__ = ["Expected", "estimate", "expect"]

_BYTES_PER_TOKEN: Final = 4
_USUAL_OUTPUT: Final = 500


class Expected(NamedTuple):
    """What a call is expected to use, whoever answers it."""

    input: int
    """Tokens."""
    output: int
    """Tokens, of all choices together."""


def expect(request: Request) -> Expected:
    """Input tokens guessed from the body's size, output tokens bounded by the caller's own limit."""
    wanted = request.max_output
    output = _USUAL_OUTPUT if wanted is None else max(0, min(wanted, _USUAL_OUTPUT))
    return Expected(request.body.size // _BYTES_PER_TOKEN, output * max(1, request.choices))


def estimate(expected: Expected, price: Price) -> Msat:
    """Expected cost at this price, in msat."""
    tokens_in, tokens_out = expected
    return Msat(price.base_fee - (-(tokens_in * price.input + tokens_out * price.output) // PER_MTOK))
