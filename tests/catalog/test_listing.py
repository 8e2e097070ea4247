"""Quotes over offers: what they change, what they leave alone, and to whom they may add."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.listing import Listing, Quote, Quotes, overlay, without_prices
from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, Price, Tier
from satisfice.core.amounts import Msat, Rate
from tests.build import a_price, an_offer


def _quote(input_rate: int = 300, output_rate: int = 600, *, model: str = "small", observed: int = 1) -> Quote:
    return Quote(
        provider="acme",
        model=model,
        input=Rate(input_rate),
        output=Rate(output_rate),
        observed_ms=observed,
        expires_ms=observed + 1,
    )


def test_that_there_is_nothing_is_another_answer_than_none() -> None:
    assert () == Listing().offers
    assert () == Quotes().quotes


def test_a_quote_is_the_price_of_its_offer_and_of_no_other() -> None:
    others = [an_offer("bell"), an_offer("acme", "large")]

    assert (an_offer("acme", price=a_price(300, 600)), *others) == overlay([an_offer("acme"), *others], [_quote()])


def test_a_quote_goes_by_what_the_provider_calls_the_model() -> None:
    own = an_offer("acme", "gpt", upstream_model="small")

    assert [a_price(300, 600), a_price()] == [
        offer.price for offer in overlay([own, an_offer("acme", "x")], [_quote()])
    ]


def test_without_quotes_all_stays_as_it_is() -> None:
    offers = (an_offer("acme"), an_offer("bell", price=None))

    assert offers == overlay(offers, ())


def test_what_is_known_of_an_offer_besides_its_price_stays() -> None:
    offer = msgspec.structs.replace(an_offer("acme", price=None), capabilities=Capabilities(context=9))

    assert (msgspec.structs.replace(offer, price=a_price(300, 600)),) == overlay([offer], [_quote()])


def test_what_a_quote_does_not_tell_moves_along_and_the_fee_stays() -> None:
    """A discount for cached input is a share of the price, and a fee of the operator's knowing is no rate."""
    tier = Tier(above=9, input=Rate(200), output=Rate(400), cache_read=Rate(20))
    listed = Price(
        input=Rate(100),
        output=Rate(200),
        cache_read=Rate(10),
        cache_write=Rate(125),
        base_fee=Msat(7),
        tiers=(tier,),
    )

    (offer,) = overlay([an_offer("acme", price=listed)], [_quote(301, 300)])

    assert offer.price == Price(
        input=Rate(301),
        output=Rate(300),
        cache_read=Rate(31),
        cache_write=Rate(377),
        base_fee=Msat(7),
        tiers=(Tier(above=9, input=Rate(602), output=Rate(600), cache_read=Rate(61)),),
    )


def test_from_nothing_there_is_no_proportion() -> None:
    (offer,) = overlay([an_offer("acme", price=a_price(0, 200, cache_read=10))], [_quote(300, 600)])

    assert a_price(300, 600, cache_read=10) == offer.price


def test_what_is_free_stays_free() -> None:
    """The operator's own server may have an address that a feed knows as well."""
    free = an_offer("acme", price=a_price(0, 0))

    assert (free,) == overlay([free], [_quote()])


def test_of_two_quotes_the_newer_counts_or_else_the_dearer() -> None:
    old, new, dear = _quote(9, 9, observed=1), _quote(2, 2, observed=2), _quote(2, 3, observed=2)

    for quotes in ([old, new, dear], [dear, new, old], [new, dear, old]):
        assert [a_price(2, 3)] == [offer.price for offer in overlay([an_offer("acme")], quotes)]


def test_a_quote_adds_a_model_only_where_it_may() -> None:
    known = an_offer("acme", "small")
    quotes = [_quote(model="small"), _quote(model="large")]

    assert ["small"] == [offer.model for offer in overlay([known], quotes)]
    assert [an_offer("acme", price=a_price(300, 600)), an_offer("acme", "large", price=a_price(300, 600))] == list(
        overlay([known], quotes, open_to={"acme"})
    )


def test_whoever_takes_any_model_still_does_so_after_a_quote_for_one() -> None:
    wildcard = an_offer("acme", "*")

    assert (wildcard,) == overlay([wildcard], [_quote()])


def test_offers_can_lose_their_prices() -> None:
    assert (an_offer("acme", price=None), an_offer("bell", price=None)) == without_prices(
        [an_offer("acme"), an_offer("bell", price=None)]
    )


_RATES = st.integers(1, 10**12).map(Rate)


@given(
    listed=st.builds(Price, input=_RATES, output=_RATES, cache_read=st.none() | _RATES, cache_write=st.none() | _RATES),
    quote=st.builds(
        Quote,
        provider=st.just("acme"),
        model=st.just("small"),
        input=_RATES,
        output=_RATES,
        observed_ms=st.just(1),
        expires_ms=st.just(2),
    ),
)
def test_a_price_is_never_free_by_a_quote(listed: Price, quote: Quote) -> None:
    (offer,) = overlay([an_offer("acme", price=listed)], [quote])

    price = offer.price
    assert price is not None
    assert all(rate is None or rate > 0 for rate in (price.input, price.output, price.cache_read, price.cache_write))


def test_an_overlay_leaves_what_it_was_given() -> None:
    """Calls on their way go by the old prices."""
    offers: list[Offer] = [an_offer("acme")]

    overlay(offers, [_quote()])

    assert [an_offer("acme")] == offers
