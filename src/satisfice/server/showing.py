"""Decisions and offers as plain values, for programs: for `/v1/cost`, `/providers` and the command line's `--json`."""

from __future__ import annotations

from typing import Final

from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat
from satisfice.routing.cost import Candidate
from satisfice.routing.reasons import Exclusion
from satisfice.routing.select import Decision

__all__ = ["cost_as_json", "decision_as_json", "offer_as_json", "price_as_json"]

_Json = dict[str, object]

_MOST: Final = 100
"""Candidates, and exclusions, that a caller is told of."""


def decision_as_json(decision: Decision) -> _Json:
    """Who would get the call and why: the choice, the candidates in order with their costs, and the others' reasons."""
    return _decision(decision, most=None)


def cost_as_json(decision: Decision) -> _Json:
    """The same with the choice's interval and bound beside its cost, and of too many offers only the first."""
    low, high, bound = _interval(decision, decision.candidates[0])
    return {
        **_decision(decision, most=_MOST),
        "low_cost_msat": low,
        "high_cost_msat": high,
        "most_cost_msat": bound,
        "candidate_count": len(decision.candidates),
        "excluded_count": len(decision.exclusions),
    }


def offer_as_json(offer: Offer) -> _Json:
    """An offer with exact prices and what is known of it."""
    able, traits = offer.capabilities, offer.traits
    return {
        "id": offer.id,
        "model": offer.model,
        "provider": offer.provider,
        "upstream_model": offer.upstream_model,
        "price": None if offer.price is None else price_as_json(offer.price),
        "context": able.context,
        "max_output": able.max_output,
        "can": sorted(ability.value for ability in able.has),
        "cannot": sorted(ability.value for ability in able.lacks),
        "region": traits.region,
        "retention": traits.retention,
        "quantisation": traits.quantisation,
    }


def price_as_json(price: Price) -> _Json:
    """Rates in msat per million tokens."""
    return {
        "input_msat_per_mtok": price.input,
        "output_msat_per_mtok": price.output,
        "cache_read_msat_per_mtok": price.cache_read,
        "cache_write_msat_per_mtok": price.cache_write,
        "base_fee_msat": price.base_fee,
        "tiers": [
            {
                "above": tier.above,
                "input_msat_per_mtok": tier.input,
                "output_msat_per_mtok": tier.output,
                "cache_read_msat_per_mtok": tier.cache_read,
                "cache_write_msat_per_mtok": tier.cache_write,
            }
            for tier in price.tiers
        ],
    }


def _decision(decision: Decision, *, most: int | None) -> _Json:
    pool = decision.pool
    first = decision.candidates[0]
    candidates = enumerate(decision.candidates[:most], 1)
    return {
        "model": pool.asked,
        "policies": list(pool.applied.names),
        "gave_way": list(decision.gave_way),
        "choice": first.offer.id,
        "expected_cost_msat": first.cost,
        "candidates": [_candidate(each, rank, decision=decision) for rank, each in candidates],
        "excluded": [_exclusion(each) for each in decision.exclusions[:most]],
    }


def _candidate(candidate: Candidate, rank: int, *, decision: Decision) -> _Json:
    low, high, bound = _interval(decision, candidate)
    tokens = decision.expected.get(candidate.offer.model)
    return {
        "rank": rank,
        "offer": offer_as_json(candidate.offer),
        "expected_cost_msat": candidate.cost,
        "low_cost_msat": low,
        "high_cost_msat": high,
        "most_cost_msat": bound,
        "input_tokens": None if tokens is None else tokens.input,
        "cached_tokens": candidate.cached,
        "output_tokens": None if tokens is None else tokens.output,
        "is_probe": candidate.is_probe,
    }


def _interval(decision: Decision, candidate: Candidate) -> tuple[Msat | None, Msat | None, Msat | None]:
    """Low, high and most; None: the price is not known."""
    estimate = decision.estimate(candidate)
    return (None, None, None) if estimate is None else (estimate.low, estimate.high, estimate.most)


def _exclusion(exclusion: Exclusion) -> _Json:
    return {"offer": exclusion.offer.id, "reason": exclusion.reason.code, "detail": exclusion.reason.detail}
