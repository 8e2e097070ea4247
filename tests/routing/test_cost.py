"""What a call will cost, and what the turns to come will."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price, Tier
from satisfice.core.amounts import PER_MTOK, Msat, Rate, Usage
from satisfice.core.clock import ManualClock
from satisfice.routing.conversation import NEW, Conversations, Thread, Warm
from satisfice.routing.cost import (
    Candidate,
    Conditions,
    Costs,
    Estimate,
    Turn,
    cost_of,
    estimate,
    turn_to_come,
    writes_cache,
)
from satisfice.routing.forecast import Expected, Forecast, kind_of
from satisfice.wire.request import Request
from tests.build import a_price, a_request, an_offer, some_conditions
from tests.routing.choosing import NOW, PRICES, REQUESTS, THREADS, charging

_COUNTS: Final = st.integers(0, 10**9)
_RATES: Final = st.integers(0, 10**9).map(Rate)
_TIERS: Final = st.builds(
    Tier, above=_COUNTS, input=_RATES, output=_RATES, cache_read=st.none() | _RATES, cache_write=st.none() | _RATES
)
_PRICES: Final = st.builds(
    Price,
    input=_RATES,
    output=_RATES,
    cache_read=st.none() | _RATES,
    cache_write=st.none() | _RATES,
    base_fee=_RATES,
    tiers=st.lists(_TIERS, max_size=2).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above))),
)
_EXPECTED: Final = Expected(1_000, 300, 100, 700, 1_000)


@given(price=_PRICES, tokens_in=_COUNTS, cached=_COUNTS, tokens_out=_COUNTS, is_written=st.booleans())
def test_a_cost_is_exact_and_rounded_up_once(
    price: Price, tokens_in: int, *, cached: int, tokens_out: int, is_written: bool
) -> None:
    cached = min(cached, tokens_in)
    rates = price.at(tokens_in)
    fresh = rates.cache_write if is_written and rates.cache_write is not None else rates.input
    read = rates.input if rates.cache_read is None else rates.cache_read
    msat = Fraction((tokens_in - cached) * fresh + cached * read + tokens_out * rates.output, PER_MTOK)

    cost = cost_of(price, tokens_in, cached=cached, tokens_out=tokens_out, is_written=is_written)

    assert 0 <= cost - price.base_fee - msat < 1


@given(price=_PRICES, uncached=_COUNTS, cached=_COUNTS, tokens_out=_COUNTS, is_written=st.booleans())
def test_what_is_expected_is_what_the_same_tokens_are_billed_at(
    price: Price, uncached: int, *, cached: int, tokens_out: int, is_written: bool
) -> None:
    """The bill rounds each of its buckets up, of which three are used here."""
    read = Usage(cache_read=cached, text=tokens_out, **{"cache_write" if is_written else "uncached": uncached})

    cost = cost_of(price, uncached + cached, cached=cached, tokens_out=tokens_out, is_written=is_written)

    assert cost <= price.cost(read) <= cost + 2


def test_a_long_prompt_moves_all_of_its_tokens_into_another_tier() -> None:
    tier = Tier(above=200_000, input=Rate(2_000_000), output=Rate(4_000_000))
    price = Price(input=Rate(1_000_000), output=Rate(2_000_000), base_fee=Msat(5), tiers=(tier,))

    assert 5 + 200_000 + 200 == cost_of(price, 200_000, cached=0, tokens_out=100, is_written=False)
    assert 5 + 400_002 + 400 == cost_of(price, 200_001, cached=0, tokens_out=100, is_written=False)


def test_what_a_tier_does_not_say_of_caches_it_takes_as_other_input() -> None:
    """The base price's cheap cache does not reach into it."""
    tier = Tier(above=1_000, input=Rate(2_000_000), output=Rate(0))
    price = Price(input=Rate(1_000_000), output=Rate(0), cache_read=Rate(0), cache_write=Rate(0), tiers=(tier,))

    assert 0 == cost_of(price, 1_000, cached=900, tokens_out=0, is_written=True)
    assert 4_000 == cost_of(price, 2_000, cached=900, tokens_out=0, is_written=True)


def test_an_estimate_has_an_interval_and_a_bound() -> None:
    price = a_price(1_000_000, 2_000_000, cache_read=100_000, base_fee=7)

    assert Estimate(Msat(1_607), Msat(1_207), Msat(2_407), Msat(3_007)) == estimate(price, _EXPECTED)
    assert Estimate(Msat(797), Msat(397), Msat(1_597), Msat(3_007)) == estimate(price, _EXPECTED, cached=900)


@given(
    price=_PRICES,
    tokens=st.lists(_COUNTS, min_size=2, max_size=2),
    cached=_COUNTS,
    output=_COUNTS,
    is_written=st.booleans(),
)
def test_a_call_costs_no_more_than_its_bound(
    price: Price, tokens: Sequence[int], *, cached: int, output: int, is_written: bool
) -> None:
    """Whatever of it is cached or written into the cache, if it takes no more tokens."""
    tokens_in, most = tokens
    bound = estimate(price, Expected(tokens_in, 0, 0, 0, most)).most

    cached, output = min(cached, tokens_in), min(output, most)
    assert cost_of(price, tokens_in, cached=cached, tokens_out=output, is_written=is_written) <= bound


def test_what_a_provider_charges_in_truth_counts_for_all_of_it() -> None:
    assert Estimate(Msat(2_400), Msat(1_800), Msat(3_600), Msat(4_500)) == estimate(a_price(), _EXPECTED, factor=1.5)


def test_a_conversation_is_written_into_the_cache_at_its_price() -> None:
    price = Price(input=Rate(1_000_000), output=Rate(0), cache_write=Rate(1_250_000))

    assert 1_000 == estimate(price, _EXPECTED).expected
    assert 1_250 == estimate(price, _EXPECTED, is_written=True).expected


def test_a_free_offer_costs_nothing() -> None:
    assert Estimate(Msat(0), Msat(0), Msat(0), Msat(0)) == estimate(a_price(0, 0), _EXPECTED)


@pytest.mark.parametrize(
    ("turns", "remaining", "is_written"), [(0, 0.0, False), (0, 0.9, False), (0, 1.0, True), (1, 0.0, True)]
)
def test_what_goes_on_is_written_and_so_is_what_will(turns: int, remaining: float, *, is_written: bool) -> None:
    assert is_written == writes_cache(Thread(turns=turns, remaining=remaining))


def test_the_next_turn_adds_the_answer_and_as_much_as_this_one_has_added() -> None:
    thread = Thread(turns=3, remaining=1.0, prefix=900)

    assert Turn(input=1_400, known=1_300) == turn_to_come(_EXPECTED, thread)


def test_of_several_turns_to_come_it_is_the_one_in_the_middle() -> None:
    """With 3 to come, that is the second, which has all of the first one before it."""
    thread = Thread(turns=3, remaining=3.0, prefix=900)

    assert Turn(input=1_800, known=1_700) == turn_to_come(_EXPECTED, thread)


@pytest.mark.parametrize("thread", [NEW, Thread(turns=3, prefix=900, share=0.5), Thread(turns=3, prefix=5_000)])
def test_what_a_turn_adds_is_nothing_as_long_as_it_is_not_known(thread: Thread) -> None:
    """The conversation begins, or only a name was recognised, or it was cut down since."""
    assert Turn(input=1_300, known=1_300) == turn_to_come(_EXPECTED, thread)


@given(
    expected=st.builds(Expected, *[st.integers(0, 10**6)] * 5),
    turns=st.integers(1, 50),
    remaining=st.integers(1, 50),
    prefix=st.integers(0, 10**6),
)
def test_the_turn_in_the_middle_is_the_mean_of_all(expected: Expected, turns: int, remaining: int, prefix: int) -> None:
    """Where prices are the same for each token, all of them cost as much as so many times this one."""
    added = max(0, expected.input - prefix)
    prompts = [expected.input + turn * (expected.output + added) for turn in range(1, remaining + 1)]
    thread = Thread(turns=turns, remaining=float(remaining), prefix=prefix)

    turn = turn_to_come(expected, thread)

    assert added == turn.input - turn.known
    assert 0 <= Fraction(sum(prompts), remaining) - turn.input < 1


def test_a_call_takes_the_tokens_that_are_forecast_for_each_model() -> None:
    request, forecast = a_request(prompt="word " * 800, max_output=90), Forecast()
    forecast.learn(request, ModelId("large"), kind=kind_of(request), usage=Usage(uncached=2_000, text=10))
    costs = _costs(request, conditions=some_conditions(forecast=forecast))

    for name in ("small", "large", "small"):
        model = ModelId(name)
        assert forecast.expect(request, model, kind=kind_of(request)) == costs.tokens(model)
    assert ["small", "large"] == list(costs.expected)
    assert kind_of(request) == costs.kind


@given(price=PRICES, request_=REQUESTS, thread=THREADS, factor=st.floats(0.5, 5.0))
def test_a_cost_is_that_of_the_estimate(price: Price, request_: Request, *, thread: Thread, factor: float) -> None:
    offer = an_offer("provider-00", price=price)
    conditions = some_conditions(ManualClock(now=NOW), charges=charging([offer], factor))
    costs = _costs(request_, thread, conditions)

    found = _candidate(costs, offer, price)
    whole = estimate(
        price,
        costs.tokens(offer.model),
        cached=found.cached,
        is_written=writes_cache(thread),
        factor=found.factor,
    )

    assert whole.expected == found.cost
    assert whole.high == round(costs.high(found, price))
    assert pytest.approx(found.factor * _candidate(_costs(request_, thread), offer, price).score) == found.score
    assert factor == pytest.approx(found.factor, rel=0.03)
    assert 0 <= found.cached <= costs.tokens(offer.model).input


def test_a_single_call_costs_on_average_what_it_costs() -> None:
    offer, price = an_offer(), a_price()

    assert Candidate(offer, Msat(10_600), 10_600.0) == _candidate(_costs(_a_prompt(10_000)), offer, price)


def test_what_was_said_before_is_cheaper_where_it_was_said() -> None:
    """The prompt has 10,000 tokens, of which 8,000 were said before; caches keep four fifths of what they are given."""
    price = a_price(1_000_000, 0, cache_read=100_000)
    costs = _costs(_a_prompt(10_000), _a_thread("here", said=8_000))
    here, there = _offer("here", price), _offer("there", price)

    assert Candidate(here, Msat(3_600 + 640), 4_240.0, 6_400) == _candidate(costs, here, price)
    assert Candidate(there, Msat(10_000), 10_000.0) == _candidate(costs, there, price)


def test_what_goes_on_is_compared_by_what_all_turns_cost() -> None:
    """Here the cache is warm, and there each turn is cheaper: so the more turns there are, the more it pays to go."""
    here, there = (a_price(read * 10, 0, cache_read=read) for read in (1_000_000, 700_000))

    def turn(remaining: float) -> tuple[float, float]:
        costs = _costs(_a_prompt(10_000), _a_thread("here", said=9_000, remaining=remaining))
        found = (_candidate(costs, _offer(name, price), price) for name, price in (("here", here), ("there", there)))
        stay, go = (each.score for each in found)
        return stay, go

    first, last = turn(0.0), turn(20.0)
    assert first[0] < first[1]
    assert last[1] < last[0]


@given(
    prices=st.lists(PRICES.map(lambda price: msgspec.structs.replace(price, tiers=())), min_size=2, max_size=4),
    prompt=st.integers(1_500, 9_000),
    said=st.integers(0, 9_000),
    remaining=st.integers(0, 30),
    gaps=st.lists(st.integers(0, 500), min_size=4, max_size=4),
)
def test_staying_is_preferred_exactly_where_it_is_cheaper(
    prices: Sequence[Price], prompt: int, *, said: int, remaining: int, gaps: Sequence[int]
) -> None:
    """All turns to come, one by one, at each of the offers: the best has the least mean, give or take a rounding."""
    offers = [_offer(f"provider-{number}", price) for number, price in enumerate(prices)]
    warm = {offer.id: Warm(said, NOW - gap) for offer, gap in zip(offers[1:], gaps, strict=False)}
    thread = Thread(turns=3, remaining=float(remaining), prefix=said, warm=warm, at=NOW)
    conversations = Conversations(lifetimes={})
    costs = _costs(_a_prompt(prompt), thread, some_conditions(ManualClock(now=NOW), conversations=conversations))
    tokens = costs.tokens(offers[0].model)

    def total(offer: Offer, price: Price) -> int:
        cached = conversations.expected_cached(thread, offer, input_tokens=tokens.input, now=NOW)
        spent = cost_of(price, tokens.input, cached=cached, tokens_out=tokens.output, is_written=True)
        known, added = tokens.input + tokens.output, max(0, tokens.input - said)
        for _ in range(remaining):
            kept = conversations.kept(thread, offer, tokens=known)
            spent += cost_of(price, known + added, cached=kept, tokens_out=tokens.output, is_written=True)
            known += added + tokens.output
        return spent

    totals = [total(offer, price) for offer, price in zip(offers, prices, strict=True)]
    turns = [_candidate(costs, offer, price).score for offer, price in zip(offers, prices, strict=True)]

    assert pytest.approx(totals, abs=20.0 * (remaining + 1)) == [(remaining + 1) * turn for turn in turns]
    assert totals[turns.index(min(turns))] <= min(totals) + 20 * (remaining + 1)


def _costs(request: Request, thread: Thread = NEW, conditions: Conditions | None = None) -> Costs:
    return Costs(request, thread, conditions=conditions or some_conditions(ManualClock(now=NOW)))


def _candidate(costs: Costs, offer: Offer, price: Price) -> Candidate:
    return costs.of(offer, price, expected=costs.tokens(offer.model))


def _a_prompt(tokens: int) -> Request:
    """A request whose body is four bytes for each, with an answer of 300 to come."""
    return a_request(prompt="x" * (4 * tokens - a_request(prompt="").body.size))


def _offer(provider: str, price: Price) -> Offer:
    return an_offer(provider, price=price)


def _a_thread(provider: str, *, said: int, remaining: float = 0.0) -> Thread:
    warm = {an_offer(provider).id: Warm(said, NOW)}
    return Thread(turns=3, remaining=remaining, prefix=said, warm=warm, at=NOW)
