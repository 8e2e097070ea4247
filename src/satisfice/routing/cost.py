"""What an offer is expected to cost this request."""

from __future__ import annotations

from typing import Final

from satisfice.catalog.offers import Price
from satisfice.core.amounts import Msat, Usage
from satisfice.wire.request import Request

__all__ = ["estimate"]

_BYTES_PER_TOKEN: Final = 4
_USUAL_OUTPUT: Final = 500


def estimate(request: Request, price: Price) -> Msat:
    """Expected cost in msat: input tokens guessed from the body's size, output from the caller's own limit."""
    wanted = request.max_output
    output = _USUAL_OUTPUT if wanted is None else max(0, min(wanted, _USUAL_OUTPUT))
    return price.cost(Usage(uncached=request.body.size // _BYTES_PER_TOKEN, text=output * max(1, request.choices)))
