"""The decision: who qualifies, in what order, and what is said when nobody does."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Offer
from satisfice.core.errors import UnknownModel
from satisfice.routing.cost import estimate, expect
from satisfice.routing.select import decide
from satisfice.wire.request import Request
from tests.build import a_catalog, a_price, a_request, an_offer

_RATES = st.integers(0, 10**9)
_PRICES = st.one_of(st.none(), st.builds(a_price, _RATES, _RATES, base_fee=_RATES))
_REQUESTS = st.builds(a_request, max_output=st.none() | st.integers(0, 10**6), choices=st.integers(1, 10**15))
_OFFERS = st.lists(_PRICES, min_size=1, max_size=6).map(
    lambda prices: [an_offer(f"provider-{number}", price=price) for number, price in enumerate(prices)]
)


def test_the_cheapest_offer_comes_first() -> None:
    assert ["b", "a"] == _ranked([an_offer("a", price=a_price(3_000_000)), an_offer("b", price=a_price(1_000_000))])


def test_what_is_cheap_depends_on_the_request() -> None:
    """One is cheap to read, the other cheap to write."""
    offers = [an_offer("reads", price=a_price(1, 9_000_000)), an_offer("writes", price=a_price(9_000_000, 1))]

    assert ["reads", "writes"] == _ranked(offers, a_request(prompt="x" * 9_000))
    assert ["writes", "reads"] == _ranked(offers, a_request(prompt="x"))


def test_offers_of_the_same_cost_stand_in_the_order_of_their_providers() -> None:
    assert ["a", "b", "c"] == _ranked([an_offer("c"), an_offer("a"), an_offer("b")])


def test_an_unknown_price_is_not_a_low_one() -> None:
    assert ["known", "a"] == _ranked([an_offer("a", price=None), an_offer("known", price=a_price(10**12))])


@given(_OFFERS, _REQUESTS)
def test_all_offers_are_candidates_cheapest_first_and_those_of_unknown_price_last(
    offers: list[Offer], request_: Request
) -> None:
    candidates = decide(request_, a_catalog(offers))
    costs = [candidate.cost for candidate in candidates]
    known = [cost for cost in costs if cost is not None]

    assert {offer.id for offer in offers} == {candidate.offer.id for candidate in candidates}
    assert [*sorted(known), *[None] * (len(costs) - len(known))] == costs


@given(_OFFERS, _REQUESTS, st.data())
def test_raising_a_price_never_raises_an_offer_s_rank(
    offers: list[Offer], request_: Request, data: st.DataObject
) -> None:
    """Nor does taking it back, which makes it unknown."""
    raised = data.draw(st.sampled_from(offers))
    price = raised.price
    more = price and a_price(
        price.input + data.draw(_RATES), price.output + data.draw(_RATES), base_fee=price.base_fee + data.draw(_RATES)
    )
    dearer = [msgspec.structs.replace(offer, price=more) if offer is raised else offer for offer in offers]
    unpriced = [msgspec.structs.replace(offer, price=None) if offer is raised else offer for offer in offers]

    before = _rank_of(raised, offers, request_)

    assert before <= _rank_of(raised, dearer, request_) <= _rank_of(raised, unpriced, request_)


def test_a_candidate_carries_its_expected_cost() -> None:
    request = a_request(max_output=20)
    priced, unpriced = decide(request, a_catalog([an_offer("a"), an_offer("b", price=None)]))

    assert estimate(expect(request), a_price()) == priced.cost
    assert unpriced.cost is None


def test_one_offer_can_be_asked_for_by_name() -> None:
    offers = [an_offer("cheap", price=a_price(1)), an_offer("dear", price=a_price(2))]

    assert ["dear"] == _ranked(offers, a_request("small@dear"))


def test_auto_is_the_cheapest_of_all_models() -> None:
    offers = [an_offer("a", "large", price=a_price(9_000_000)), an_offer("b", "small", price=a_price(1_000_000))]

    assert ["b", "a"] == _ranked(offers, a_request("auto"))


def test_a_model_that_nobody_offers_is_unknown_and_near_misses_are_named() -> None:
    with pytest.raises(UnknownModel) as unknown:
        decide(a_request("smal"), a_catalog([an_offer(), an_offer(model="smaller"), an_offer(model="huge")]))

    assert "No offer for the model `smal`." == unknown.value.message
    assert "Did you mean `small` or `smaller`? GET /v1/models lists what is offered." == unknown.value.hint
    assert "model" == unknown.value.param


def test_a_model_like_no_other_is_unknown_without_a_guess() -> None:
    with pytest.raises(UnknownModel) as unknown:
        decide(a_request("whisper"), a_catalog())

    assert UnknownModel.hint == unknown.value.hint


def test_an_endless_name_is_not_repeated_in_full() -> None:
    with pytest.raises(UnknownModel) as unknown:
        decide(a_request("x" * 1_000_000), a_catalog())

    assert f"No offer for the model `{'x' * 100}…`." == unknown.value.message

    with pytest.raises(UnknownModel, match=r"`x{100}`"):
        decide(a_request("x" * 100), a_catalog())


def _ranked(offers: Iterable[Offer], request_: Request | None = None) -> list[str]:
    return [candidate.offer.provider for candidate in decide(request_ or a_request(), a_catalog(offers))]


def _rank_of(offer: Offer, offers: list[Offer], request_: Request) -> int:
    return _ranked(offers, request_).index(offer.provider)
