"""The decision: the offers for what was asked, cheapest first."""

from __future__ import annotations

from typing import Final

import msgspec

from satisfice.catalog.model import near_misses
from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.amounts import Msat
from satisfice.core.errors import UnknownModel
from satisfice.routing.cost import estimate, expect
from satisfice.wire.request import Request

__all__ = ["Candidate", "decide"]

_UNKNOWN: Final = float("inf")


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An offer that qualifies, with what it is expected to cost."""

    offer: Offer
    cost: Msat | None
    """None: its price is not known."""


def decide(request: Request, catalog: Catalog) -> list[Candidate]:
    """Candidates, cheapest first; those of unknown price last, for an unknown price is not a low one.

    `UnknownModel`, with near misses, if nobody offers what was asked for.
    """
    offers = catalog.find(request.model)
    if not offers:
        raise _unknown(request.model, catalog)
    expected = expect(request)
    candidates = [
        Candidate(offer, None if offer.price is None else estimate(expected, offer.price)) for offer in offers
    ]
    if len(candidates) > 1:
        candidates.sort(key=_rank)
    return candidates


def _rank(candidate: Candidate) -> float:
    """What to sort by; ties keep the catalog's order, which is by provider."""
    return _UNKNOWN if candidate.cost is None else candidate.cost


def _unknown(name: str, catalog: Catalog) -> UnknownModel:
    near = near_misses(name, catalog.models)
    meant = " or ".join(f"`{each}`" for each in near)
    shown = name if len(name) <= 100 else name[:100] + "…"
    return UnknownModel(
        f"No offer for the model `{shown}`.",
        param="model",
        hint=f"Did you mean {meant}? GET /v1/models lists what is offered." if near else None,
    )
