"""Decisions and offers as values: exact, whole, and never without a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
import pytest

from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, Price, Tier, Traits
from satisfice.core.amounts import Msat, Rate
from satisfice.routing.conversation import NEW
from satisfice.routing.policy import Applied, Policy
from satisfice.routing.pool import Pool
from satisfice.routing.select import Decision, decide
from satisfice.server.showing import cost_as_json, decision_as_json, offer_as_json, price_as_json
from satisfice.wire.request import Ability
from tests.build import a_pool, a_price, a_request, an_offer, some_conditions

_CHEAP, _DEAR = an_offer("acme"), an_offer("bell", price=a_price(5_000_000, 5_000_000))
_DENIED = an_offer("cord")
_CAREFUL = Policy(name="careful", deny_providers=("cord",))
_APPLIED = Applied(binding=(_CAREFUL,), names=("careful",))


def test_a_decision_names_the_choice_and_why_the_others_are_not() -> None:
    told = decision_as_json(_decide([_DEAR, _DENIED, _CHEAP], _APPLIED))

    assert ("small", ["careful"], "small@acme") == tuple(told[key] for key in ("model", "policies", "choice"))
    assert [(1, "small@acme"), (2, "small@bell")] == [
        (each["rank"], cast("dict[str, object]", each["offer"])["id"]) for each in _list(told["candidates"])
    ]
    assert [
        {
            "offer": "small@cord",
            "reason": "provider_denied",
            "detail": "policy `careful`: `deny_providers` has `cord`",
        }
    ] == told["excluded"]


def test_a_candidate_has_its_cost_with_interval_and_bound() -> None:
    told = decision_as_json(_decide([_CHEAP], max_output=100))

    (candidate,) = _list(told["candidates"])
    costs = [_number(candidate, f"{which}_cost_msat") for which in ("low", "expected", "high", "most")]
    tokens_in, cached, tokens_out = (_number(candidate, f"{which}_tokens") for which in ("input", "cached", "output"))
    assert sorted(costs) == costs
    assert told["expected_cost_msat"] == candidate["expected_cost_msat"] == tokens_in + 2 * tokens_out
    assert tokens_in + 200 == candidate["most_cost_msat"]
    assert (0, False) == (cached, candidate["is_probe"])


def test_what_is_not_known_is_null() -> None:
    told = decision_as_json(_unpriced())

    (candidate,) = _list(told["candidates"])
    assert {None} == {value for key, value in candidate.items() if key.endswith("_cost_msat")}
    assert None is told["expected_cost_msat"]


def test_who_asks_for_the_cost_has_that_of_the_choice_at_hand() -> None:
    decision = _decide([_DEAR, _CHEAP])

    told, first = cost_as_json(decision), _list(decision_as_json(decision)["candidates"])[0]

    keys = [f"{which}_cost_msat" for which in ("low", "expected", "high", "most")]
    assert [first[key] for key in keys] == [told[key] for key in keys]
    assert decision_as_json(decision).items() <= told.items()
    assert (2, 0) == (told["candidate_count"], told["excluded_count"])
    assert None is cost_as_json(_unpriced())["most_cost_msat"]


def test_of_too_many_offers_the_first_are_told_and_all_are_counted() -> None:
    denied = (an_offer("cord", f"model-{number}") for number in range(5_000))
    told = cost_as_json(_decide([_CHEAP, *denied], _APPLIED, asked="auto"))

    assert (1, 100, 5_000) == (told["candidate_count"], len(_list(told["excluded"])), told["excluded_count"])
    assert 50_000 > len(msgspec.json.encode(told))


def test_a_command_is_told_of_all_of_them() -> None:
    denied = (an_offer("cord", f"model-{number}") for number in range(150))

    assert 150 == len(_list(decision_as_json(_decide([_CHEAP, *denied], _APPLIED, asked="auto"))["excluded"]))


def test_an_offer_is_told_with_all_that_is_known_of_it() -> None:
    offer = Offer(
        provider="acme",
        model=an_offer().model,
        upstream_model="labs/small",
        price=a_price(),
        capabilities=Capabilities(
            context=8_000,
            max_output=1_000,
            has=frozenset((Ability.VISION, Ability.TOOLS)),
            lacks=frozenset((Ability.REASONING,)),
        ),
        traits=Traits(region="eu", retention="none", quantisation="fp8"),
    )

    assert {
        "id": "small@acme",
        "model": "small",
        "provider": "acme",
        "upstream_model": "labs/small",
        "price": price_as_json(a_price()),
        "context": 8_000,
        "max_output": 1_000,
        "can": ["tools", "vision"],
        "cannot": ["reasoning"],
        "region": "eu",
        "retention": "none",
        "quantisation": "fp8",
    } == offer_as_json(offer)


def test_an_unknown_price_is_none_at_all() -> None:
    assert None is offer_as_json(an_offer(price=None))["price"]


@pytest.mark.parametrize("cached", [None, 0, 5])
def test_a_price_has_its_units_in_its_names(cached: int | None) -> None:
    cache_read = None if cached is None else Rate(cached)
    tier = Tier(above=1_000, input=Rate(11), output=Rate(21), cache_write=Rate(12))
    price = Price(input=Rate(10), output=Rate(20), cache_read=cache_read, base_fee=Msat(3), tiers=(tier,))

    assert {
        "input_msat_per_mtok": 10,
        "output_msat_per_mtok": 20,
        "cache_read_msat_per_mtok": cached,
        "cache_write_msat_per_mtok": None,
        "base_fee_msat": 3,
        "tiers": [
            {
                "above": 1_000,
                "input_msat_per_mtok": 11,
                "output_msat_per_mtok": 21,
                "cache_read_msat_per_mtok": None,
                "cache_write_msat_per_mtok": 12,
            }
        ],
    } == price_as_json(price)


def _decide(
    offers: Iterable[Offer], applied: Applied | None = None, *, asked: str = "small", max_output: int | None = None
) -> Decision:
    pool = a_pool(offers, asked) if applied is None else a_pool(offers, asked, applied=applied)
    return decide(a_request(asked, max_output=max_output), pool, thread=NEW, conditions=some_conditions())


def _unpriced() -> Decision:
    pool = Pool("small", (), unpriced=[an_offer(price=None)], applied=Applied())
    return decide(a_request(), pool, thread=NEW, conditions=some_conditions())


def _list(value: object) -> Sequence[dict[str, object]]:
    return cast("Sequence[dict[str, object]]", value)


def _number(shown: dict[str, object], key: str) -> int:
    value = shown[key]
    assert isinstance(value, int)
    return value
