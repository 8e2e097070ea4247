"""Offers, their prices, and the catalog that finds them by any name a caller may use."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.names import Named
from satisfice.catalog.offers import Catalog, Offer, Price, Tier, merge
from satisfice.core.amounts import PER_MTOK, Msat, Rate, Usage
from tests.build import a_catalog, a_price, a_usage, an_offer

_COUNTS = st.integers(0, 10**7)
_RATES = st.integers(0, 10**9)


def test_a_call_costs_its_fee_and_its_tokens_in_and_out() -> None:
    price = a_price(100_000, 400_000, base_fee=5)

    assert Msat(5 + 100 + 40) == price.cost(a_usage(1_000, 100))


def test_a_price_has_no_fee_unless_told() -> None:
    assert Msat(3) == Price(input=Rate(1_000_000), output=Rate(2_000_000)).cost(a_usage(1, 1))


def test_thoughts_cost_what_text_costs() -> None:
    price = a_price(0, 1_000_000)

    assert price.cost(a_usage(0, 7)) == price.cost(a_usage(0, 3, reasoning=4))


def test_cached_input_has_its_own_price_or_that_of_other_input() -> None:
    usage = a_usage(0, 0, cache_read=1_000)

    assert Msat(10) == a_price(100_000, cache_read=10_000).cost(usage)
    assert Msat(0) == a_price(100_000, cache_read=0).cost(usage)
    assert Msat(100) == a_price(100_000).cost(usage)


@given(usage=st.builds(Usage, uncached=_COUNTS, cache_read=_COUNTS, text=_COUNTS, reasoning=_COUNTS), data=st.data())
def test_each_bucket_is_rounded_up_and_nothing_else(usage: Usage, data: st.DataObject) -> None:
    rate_in, rate_cached, rate_out = (data.draw(_RATES) for _ in range(3))
    price = a_price(rate_in, rate_out, cache_read=rate_cached, base_fee=3)
    exact = 3 + Fraction(usage.uncached * rate_in + usage.cache_read * rate_cached + usage.output * rate_out, PER_MTOK)

    assert 0 <= price.cost(usage) - exact < 3


def test_an_offer_is_called_by_its_model_and_its_provider() -> None:
    assert "gpt-4o@acme" == an_offer("acme", "gpt-4o").id


def test_all_offers_of_a_model_are_found_by_its_name_in_the_order_of_their_providers() -> None:
    catalog = a_catalog([an_offer("b"), an_offer("c"), an_offer("a"), an_offer("a", "large")])

    assert ["a", "b", "c"] == [offer.provider for offer in catalog.find("small")]


def test_one_offer_is_found_by_model_and_provider() -> None:
    catalog = a_catalog([an_offer("a"), an_offer("b")])

    assert (an_offer("b"),) == catalog.find("small@b")


def test_auto_finds_whatever_has_a_price() -> None:
    """Nobody can say that an offer of unknown price is the cheapest."""
    catalog = a_catalog([an_offer("a", "x"), an_offer("b", "y", price=None), an_offer("c", "z")])

    assert ["x", "z"] == [offer.model for offer in catalog.find("auto")]


def test_a_name_that_nobody_has_finds_nothing() -> None:
    assert () == a_catalog().find("large")
    assert () == a_catalog().find("small@nobody")
    assert () == Catalog().find("auto")


def test_a_name_that_we_give_a_meaning_cannot_be_taken_by_a_model() -> None:
    """Who lists models called so would get the prompts and the money that are meant for others."""
    catalog = a_catalog([an_offer("a", "auto", price=None), an_offer("b", "x"), an_offer("c", "x@b", price=None)])

    assert ["b"] == [offer.provider for offer in catalog.find("auto")]
    assert ["b"] == [offer.provider for offer in catalog.find("x@b")]
    assert ["a"] == [offer.provider for offer in catalog.find("auto@a")]


def test_models_are_listed_by_name_once_each() -> None:
    catalog = a_catalog([an_offer("b", "y"), an_offer("a", "y"), an_offer("a", "x")])

    assert ("x", "y") == catalog.models


@pytest.mark.parametrize("swap", [False, True])
def test_of_two_sources_with_the_same_offer_the_later_counts(*, swap: bool) -> None:
    cheap, dear = an_offer(price=a_price(1)), an_offer(price=a_price(2))
    parts: list[list[Offer]] = [[dear, an_offer("other")], [cheap]]
    if swap:
        parts.reverse()

    catalog = merge(parts)

    assert 2 == len(catalog.offers)
    assert (dear if swap else cheap,) == catalog.find("small@acme")


def test_offers_and_prices_can_not_be_changed() -> None:
    """Calls on their way share them with the catalog."""
    with pytest.raises(AttributeError):
        an_offer().provider = "other"  # type: ignore[misc]  # that it can't be is the test
    with pytest.raises(AttributeError):
        a_price().base_fee = Msat(1)  # type: ignore[misc]  # that it can't be is the test


def test_written_input_has_its_own_price_or_that_of_other_input() -> None:
    usage = Usage(cache_write=1_000)

    assert Msat(100) == a_price(100_000).cost(usage)
    assert Msat(125) == msgspec.structs.replace(a_price(100_000), cache_write=Rate(125_000)).cost(usage)


def test_a_long_prompt_moves_all_tokens_into_another_tier() -> None:
    tiers = (
        Tier(above=1_000, input=Rate(2_000_000), output=Rate(3_000_000), cache_read=Rate(500_000)),
        Tier(above=5_000, input=Rate(9_000_000), output=Rate(9_000_000)),
    )
    price = msgspec.structs.replace(a_price(base_fee=7), tiers=tiers)

    assert Msat(7 + 1_000 + 2) == price.cost(a_usage(1_000, 1))
    assert Msat(7 + 2 * 901 + 50 + 3) == price.cost(a_usage(901, 1, cache_read=100))
    assert Msat(7 + 9 * 5_001 + 9) == price.cost(a_usage(4_901, 1, cache_read=100))


def test_offers_of_one_model_under_several_ids_are_found_by_each_of_them() -> None:
    named = (Named(name="gpt-4o", aliases=("gpt-4o-2024-11-20", "never-listed")),)
    catalog = Catalog(
        [an_offer("a", "gpt-4o"), an_offer("b", "openai/gpt-4o"), an_offer("c", "gpt-4o-2024-11-20")], named
    )

    for name in ("gpt-4o", "openai/gpt-4o", "gpt-4o-2024-11-20", "never-listed"):
        assert ["a", "b", "c"] == [offer.provider for offer in catalog.find(name)], name
    assert ("gpt-4o",) == catalog.models
    assert "openai/gpt-4o" == catalog.find("gpt-4o@b")[0].upstream_model


@pytest.mark.parametrize("swap", [False, True])
def test_of_two_listings_of_one_model_the_one_with_its_very_name_is_the_offer(*, swap: bool) -> None:
    named = (Named(name="gpt-4o", aliases=("gpt-4o-old",)),)
    listed = [an_offer("a", "openai/gpt-4o"), an_offer("a", "gpt-4o-old")]

    catalog = Catalog(reversed(listed) if swap else listed, named)

    assert ["openai/gpt-4o"] == [offer.upstream_model for offer in catalog.find("gpt-4o")]


def test_a_virtual_model_is_any_of_its_models() -> None:
    named = (Named(name="fast", any_of=("x", "tiny-*")), Named(name="none", any_of=("absent",)))
    catalog = Catalog(
        [an_offer("a", "x"), an_offer("a", "tiny-1"), an_offer("b", "large"), an_offer("b", "fast")], named
    )

    assert ["x", "tiny-1"] == [offer.model for offer in catalog.find("fast")]
    assert () == catalog.find("none")
    assert ("fast", "none") == catalog.virtual


def test_who_takes_any_model_gets_the_calls_for_those_that_nobody_lists() -> None:
    anything = an_offer("c", "*", price=a_price(5))
    catalog = Catalog([an_offer("a", "small"), anything])

    assert ["a"] == [offer.provider for offer in catalog.find("small")]
    assert ["a"] == [offer.provider for offer in catalog.find("auto")]
    assert ("small",) == catalog.models
    (found,) = catalog.find("unheard-of")
    assert ("unheard-of@c", "unheard-of", a_price(5)) == (found.id, found.upstream_model, found.price)
