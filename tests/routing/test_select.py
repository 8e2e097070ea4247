"""The decision: who qualifies, in what order, and what is said when nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, OfferId, Price, Tier
from satisfice.core.amounts import Msat, Rate
from satisfice.core.errors import AllResting, NoCandidate
from satisfice.routing.conversation import NEW, Thread, Warm
from satisfice.routing.cost import Conditions
from satisfice.routing.forecast import kind_of
from satisfice.routing.policy import Applied, Asking, Policies, Policy, Strategy
from satisfice.routing.select import decide
from satisfice.wire.request import Ability, Request
from tests.build import a_pool, a_price, a_request, an_offer, some_conditions
from tests.routing.choosing import (
    MANY_PRICES,
    NOW,
    PRICES,
    REQUESTS,
    THREADS,
    Health,
    charging,
    choose,
    codes,
    ids,
    market,
    providers,
    raised,
)

_FEW_PRICES: Final = st.lists(PRICES, min_size=1, max_size=6)
_POOLS: Final = _FEW_PRICES | MANY_PRICES
_CHEAP, _DEAR = an_offer("cheap", price=a_price(1_000_000)), an_offer("dear", price=a_price(9_000_000))


def test_the_cheapest_offer_comes_first() -> None:
    assert ["b", "a"] == _ranked([an_offer("a", price=a_price(3_000_000)), an_offer("b", price=a_price(1_000_000))])


def test_what_is_cheap_depends_on_the_request() -> None:
    """One is cheap to read, the other cheap to write."""
    offers = [an_offer("reads", price=a_price(1, 9_000_000)), an_offer("writes", price=a_price(9_000_000, 1))]

    assert ["reads", "writes"] == _ranked(offers, a_request(prompt="x" * 9_000))
    assert ["writes", "reads"] == _ranked(offers, a_request(prompt="x"))


def test_offers_of_the_same_cost_stand_in_the_order_of_their_providers() -> None:
    assert ["a", "b", "c"] == _ranked([an_offer("c"), an_offer("a"), an_offer("b")])


def test_an_offer_for_any_model_is_weighed_as_the_model_asked_for() -> None:
    offers = [an_offer("any", "*", price=a_price(1_000_000)), an_offer("other", "large")]
    decision = choose(offers, a_request("gpt-5-mini"))

    assert ["gpt-5-mini@any"] == [each.offer.id for each in decision.candidates]
    assert ["gpt-5-mini"] == list(decision.expected)


@given(prices=st.lists(st.none() | PRICES, min_size=1, max_size=40), request_=REQUESTS, thread=THREADS, data=st.data())
def test_an_unknown_price_is_not_a_low_one(
    prices: Sequence[Price | None], request_: Request, *, thread: Thread, data: st.DataObject
) -> None:
    applied = Applied(strategy=data.draw(st.sampled_from(Strategy)), spread=data.draw(st.floats(0.0, 1.0)))
    decision = choose(market(prices), request_, applied=applied, thread=thread, allow_unpriced=True)
    are_unknown = [candidate.cost is None for candidate in decision.candidates]

    assert sorted(are_unknown) == are_unknown
    assert are_unknown == [decision.estimate(candidate) is None for candidate in decision.candidates]
    assert min(20, len(prices)) == len({candidate.offer.id for candidate in decision.candidates})


@given(prices=_FEW_PRICES, request_=REQUESTS, thread=THREADS)
def test_all_offers_are_candidates_and_carry_what_they_are_expected_to_cost(
    prices: Sequence[Price], request_: Request, thread: Thread
) -> None:
    decision = choose(market(prices), request_, thread=thread)

    assert kind_of(request_) == decision.kind
    assert {each.id for each in market(prices)} == {each.offer.id for each in decision.candidates}
    for candidate in decision.candidates:
        estimate = decision.estimate(candidate)
        assert estimate is not None
        assert candidate.cost == estimate.expected
        assert estimate.low <= estimate.expected <= estimate.most
        assert 0 <= candidate.cached <= decision.expected[candidate.offer.model].input
    scores = [candidate.score for candidate in decision.candidates]
    assert sorted(scores) == scores
    if thread is NEW:
        assert scores == [candidate.cost for candidate in decision.candidates]


@given(prices=_POOLS, request_=REQUESTS, thread=THREADS, data=st.data())
def test_raising_a_price_never_raises_an_offer_s_rank(
    prices: Sequence[Price], request_: Request, *, thread: Thread, data: st.DataObject
) -> None:
    """With tiers, caches, turns to come, those who charge more than they quote, and a limit.

    Nor does taking the price back.
    """
    offers = market(prices)
    number = data.draw(st.integers(0, len(offers) - 1))
    price = raised(prices[number], data.draw)
    applied = Applied(max_msat_per_call=data.draw(st.none() | st.integers(0, 20_000).map(Msat)))
    conditions = _some_dishonest(offers, data)

    def rank(price: Price | None) -> int:
        offers[number] = an_offer(offers[number].provider, price=price)
        found = ids(offers, request_, applied=applied, thread=thread, conditions=conditions)
        return found.index(offers[number].id) if offers[number].id in found else len(offers)

    assert rank(prices[number]) <= rank(price) <= rank(None)


@given(prices=_FEW_PRICES, request_=REQUESTS, thread=THREADS, data=st.data())
def test_tightening_a_policy_never_adds_a_candidate(
    prices: Sequence[Price], request_: Request, *, thread: Thread, data: st.DataObject
) -> None:
    """And those that are left stay in the same order."""
    windows = st.sampled_from((None, 100, 1_000, 10_000))
    offers = [
        msgspec.structs.replace(offer, capabilities=Capabilities(context=data.draw(windows)))
        for offer in market([*prices, None])
    ]
    few = st.integers(0, 6).map(lambda number: f"provider-{number:02}")
    loose, tight = (
        Policy(
            name=name,
            for_models=("*",),
            deny_providers=data.draw(st.lists(few, max_size=2).map(tuple)),
            max_msat_per_call=data.draw(st.none() | st.integers(0, 10_000).map(Msat)),
            max_output_msat_per_mtok=data.draw(st.none() | st.integers(0, 3_000_000).map(Rate)),
            min_context=data.draw(st.none() | st.just(1_000)),
        )
        for name in ("loose", "tight")
    )

    def candidates(*policies: Policy) -> list[OfferId]:
        applied = Policies(policies).match(Asking(), "small", last_words=str)
        return ids(offers, request_, applied=applied, thread=thread)

    after = candidates(loose, tight)
    assert [each for each in candidates(loose) if each in after] == after


@given(prices=_POOLS, request_=REQUESTS, thread=THREADS, data=st.data())
def test_a_decision_depends_on_its_arguments_and_changes_none_of_them(
    prices: Sequence[Price], request_: Request, *, thread: Thread, data: st.DataObject
) -> None:
    offers = market(prices)
    conditions = replace(_some_dishonest(offers, data), chance=lambda: 0.5)
    strategy = data.draw(st.sampled_from(Strategy))
    pool = a_pool(offers, applied=Applied(strategy=strategy, spread=0.2))
    before = _snapshot(conditions)

    first, second = (decide(request_, pool, thread=thread, conditions=conditions) for _ in range(2))

    assert first == second
    assert before == _snapshot(conditions)


def test_who_charges_more_than_its_price_is_taken_for_what_it_charges() -> None:
    liar, honest = an_offer("liar", price=a_price(1_000_000)), an_offer("honest", price=a_price(1_500_000, 3_000_000))
    first, second = choose([liar, honest], conditions=some_conditions(charges=charging([liar], 3.0))).candidates

    assert ("honest", "liar") == (first.offer.provider, second.offer.provider)
    assert pytest.approx(3.0, rel=0.02) == second.factor
    assert pytest.approx(2.0, rel=0.02) == (second.cost or 0) / (first.cost or 0)


@pytest.mark.parametrize("price", [a_price(), a_price(0, 0)])
def test_of_equal_offers_the_one_that_fails_less_is_first_even_if_all_are_free(price: Price) -> None:
    failing, sound = an_offer("a", price=price), an_offer("b", price=price)
    health = Health()
    health.fail(failing)
    health.succeed(failing, 1.0, at=NOW + 31.0)

    assert ["b", "a"] == providers(choose([failing, sound], conditions=health.after(31.0)).candidates)


def test_a_prompt_that_is_too_long_for_an_offer_excludes_it() -> None:
    small = msgspec.structs.replace(_CHEAP, capabilities=Capabilities(context=1_000))
    exact = msgspec.structs.replace(_DEAR, capabilities=Capabilities(context=2_000))
    prompt = "x" * (8_000 - a_request(prompt="").body.size)

    decision = choose([small, exact], a_request(prompt=prompt))

    assert ["dear"] == providers(decision.candidates)
    assert [("small@cheap", "context")] == codes(decision)
    assert "about 2,000 tokens of prompt, and its window is 1,000" == decision.exclusions[0].reason.detail
    without_price = msgspec.structs.replace(small, price=None)
    assert [exact.id] == ids([exact, without_price], a_request(prompt=prompt))
    assert [] == ids([exact], a_request(prompt=f"{prompt}xx"))


def test_a_call_that_may_cost_more_than_is_allowed_excludes_an_offer() -> None:
    """That is, if one call in ten would, at what the offer charges in truth."""
    before = choose([_CHEAP])
    estimate = before.estimate(before.candidates[0])
    assert estimate is not None
    high, request, liar = estimate.high, a_request(), some_conditions(charges=charging([_CHEAP], 2.0))
    just, less = (Applied(max_msat_per_call=Msat(limit)) for limit in (high, high - 1))

    decision = choose([_CHEAP, _DEAR], applied=just)
    assert ["cheap"] == providers(decision.candidates)
    assert [("small@dear", "call_cost")] == codes(decision)
    assert decision.exclusions[0].reason.detail.endswith(f"more than the {high:,} msat allowed")
    assert [] == ids([_CHEAP, _DEAR], request, applied=less)
    assert [] == ids([_CHEAP, _DEAR], request, applied=just, conditions=liar)


def test_nobody_qualifies_and_it_is_said_why() -> None:
    """What was found for this very call comes first."""
    able = Capabilities(lacks=frozenset((Ability.TOOLS,)))
    toolless = msgspec.structs.replace(an_offer("a"), capabilities=able)
    applied = Applied(max_msat_per_call=Msat(0))
    request = msgspec.structs.replace(a_request(), needs=frozenset((Ability.TOOLS,)))

    with pytest.raises(NoCandidate) as nobody:
        choose([toolless, an_offer("b")], request, applied=applied)

    assert "model" == nobody.value.param
    assert (
        "No offer of `small` qualifies: small@b: one call in ten would cost more than the 0 msat allowed; "
        "small@a: it can't do what the call needs: tools." == nobody.value.message
    )


def test_of_many_reasons_five_are_told() -> None:
    with pytest.raises(NoCandidate) as nobody:
        choose(market([None] * 7))

    message = nobody.value.message
    assert (5, "; and 2 more.") == (message.count("its price is not known"), message[-13:])


def test_advice_gives_way_where_it_would_leave_nobody() -> None:
    eu = Policy(name="eu", allow_providers=("eu-*",))
    applied = Applied(advisory=(eu,), names=("eu",))

    decision = choose([an_offer("eu-1"), an_offer("us-1")], applied=applied)
    assert (["eu-1"], ()) == (providers(decision.candidates), decision.gave_way)

    decision = choose([an_offer("us-1"), an_offer("us-2")], applied=applied)
    assert ["us-1", "us-2"] == providers(decision.candidates)
    assert ((), [], ("eu",)) == (decision.pool.applied.names, codes(decision), decision.gave_way)

    applied = Applied(advisory=(Policy(name="frugal"),), max_msat_per_call=Msat(0))
    assert ["us-1"] == providers(choose([an_offer("us-1")], applied=applied).candidates)


def test_an_offer_that_has_failed_is_left_out_while_another_is_well() -> None:
    health = Health()
    health.fail(_CHEAP)
    decision = choose([_CHEAP, _DEAR], conditions=health.after())

    assert ["dear"] == providers(decision.candidates)
    assert [("small@cheap", "circuit_open")] == codes(decision)
    assert "left alone for another 30 s after: status 500" == decision.exclusions[0].reason.detail


def test_nobody_is_well_and_it_is_said_when_the_first_will_be() -> None:
    health = Health()
    health.fail(_CHEAP)
    health.rest(_DEAR, 20.0)

    with pytest.raises(AllResting) as nobody:
        choose([_CHEAP, _DEAR, an_offer("unpriced", price=None)], conditions=health.after(5.0))

    assert 15.0 == nobody.value.retry_after
    assert nobody.value.message.startswith(
        "No offer of `small` is well: small@cheap: left alone for another 25 s after: status 500; "
        "small@dear: resting for another 15 s after: status 429; small@unpriced: its price is not known"
    )


def test_who_could_not_have_the_call_anyway_is_not_waited_for() -> None:
    """There is no use in coming back."""
    small = msgspec.structs.replace(_CHEAP, capabilities=Capabilities(context=1))
    health = Health()
    health.fail(small)

    with pytest.raises(NoCandidate, match="its window is 1"):
        choose([small], conditions=health.after())

    health.fail(_DEAR)
    with pytest.raises(AllResting) as nobody:
        choose([small, _DEAR], conditions=health.after(10.0))
    assert 20.0 == nobody.value.retry_after


def test_a_half_open_offer_goes_first_if_it_is_the_best_and_another_can_rescue_the_call() -> None:
    health = Health()
    health.fail(_CHEAP)
    candidates = choose([_CHEAP, _DEAR], conditions=health.after(31.0)).candidates

    assert [("cheap", True), ("dear", False)] == [(each.offer.provider, each.is_probe) for each in candidates]


def test_a_half_open_offer_that_is_not_the_best_is_the_last_resort() -> None:
    health = Health()
    health.fail(_DEAR)

    assert ["cheap", "dear"] == providers(choose([_CHEAP, _DEAR], conditions=health.after(31.0)).candidates)


def test_of_several_half_open_offers_only_one_is_tried_before_those_that_are_well() -> None:
    offers = market(a_price(rate * 1_000_000, rate * 2_000_000) for rate in range(1, 5))
    health = Health()
    for number in (0, 1, 3):
        health.fail(offers[number])

    candidates = choose(offers, conditions=health.after(31.0)).candidates
    assert ["provider-00", "provider-02", "provider-01", "provider-03"] == providers(candidates)

    candidates = choose([offers[3], offers[1]], conditions=health.after(31.0)).candidates
    assert ["provider-01", "provider-03"] == providers(candidates)


def test_a_half_open_offer_takes_its_turn_as_others_do() -> None:
    """Were it never tried because others are cheaper, it would never be found to be well."""
    health = Health()
    health.fail(_DEAR)
    applied = Applied(strategy=Strategy.ROUND_ROBIN)
    turns = [health.after(31.0, turn=turn) for turn in (0, 1)]

    assert [["cheap", "dear"], ["dear", "cheap"]] == [
        providers(choose([_CHEAP, _DEAR], applied=applied, conditions=turn).candidates) for turn in turns
    ]


def test_an_offer_that_rests_is_waited_for_if_there_is_no_other() -> None:
    health = Health()
    health.rest(_CHEAP, 5.0)
    health.rest(_DEAR, 4.0)
    health.rest(an_offer("long"), 11.0)

    decision = choose([_CHEAP, _DEAR, an_offer("long")], conditions=health.after())
    assert [("dear", NOW + 4.0), ("cheap", NOW + 5.0)] == [
        (each.offer.provider, each.ready) for each in decision.candidates
    ]
    assert [("small@long", "resting")] == codes(decision)

    decision = choose([_CHEAP, _DEAR, an_offer("well")], conditions=health.after())
    assert ["well"] == providers(decision.candidates)
    assert [("small@cheap", "resting"), ("small@dear", "resting")] == codes(decision)
    assert ["cheap", "well"] == providers(choose([_CHEAP, an_offer("well")], conditions=health.after(5.0)).candidates)


@pytest.mark.parametrize("count", [21, 32, 33, 60])
def test_of_many_offers_the_twenty_cheapest_are_candidates(count: int) -> None:
    offers = market(a_price(10_000_000 - 100_000 * number) for number in range(count))

    assert [offer.provider for offer in reversed(offers)][:20] == _ranked(offers)


def test_of_many_offers_no_more_than_needed_are_weighed() -> None:
    offers = [an_offer(f"{number}", f"model-{number}", price=a_price(number, 10**number)) for number in range(60)]

    assert 20 == len(choose(offers, a_request("auto")).expected)


def test_of_many_offers_liars_and_long_prompts_hide_no_honest_one() -> None:
    """By their list price these forty are the cheapest: the rest is looked at once they turn out not to be."""
    quoted, honest = a_price(1_000_000), a_price(2_000_000, 4_000_000)
    tier = Tier(above=1_000, input=Rate(9_000_000), output=Rate(9_000_000))
    offers = market([quoted] * 40)
    charges = charging(offers, 4.0)

    conditions = some_conditions(charges=charges)
    assert "z" == providers(choose([*offers, an_offer("z", price=honest)], conditions=conditions).candidates)[0]

    tiered = market([msgspec.structs.replace(quoted, tiers=(tier,))] * 40)
    assert "z" == _ranked([*tiered, an_offer("z", price=honest)], a_request(prompt="x" * 8_000))[0]


def test_of_many_offers_those_that_know_the_conversation_are_weighed() -> None:
    offers = market([*[a_price(1_000_000, 0)] * 40, a_price(4_000_000, 0, cache_read=1_000)])
    warm = dict.fromkeys((offers[40].id, OfferId("gone@elsewhere"), offers[0].id), Warm(10_000, NOW))
    thread = Thread(turns=3, prefix=10_000, warm=warm, at=NOW)

    first, second, *others = choose(offers, a_request(prompt="x" * 40_000), thread=thread).candidates

    assert ("provider-40", 8_000) == (first.offer.provider, first.cached)
    assert ("provider-00", 0) == (second.offer.provider, second.cached)
    assert 18 == len({each.offer.id for each in others} - {first.offer.id, second.offer.id})


def test_of_many_offers_those_are_found_whose_cache_pays_in_the_long_run() -> None:
    """Its list price is above that of all others."""
    offers = market([*[a_price(1_000_000, 0)] * 40, a_price(2_000_000, 0, cache_read=10_000)])
    request = a_request(prompt="x" * 40_000)

    assert "provider-40" not in _ranked(offers, request)
    thread = Thread(remaining=10.0)
    assert "provider-40" == providers(choose(offers, request, thread=thread).candidates)[0]


def test_of_many_offers_not_all_that_are_candidates_are_of_one_provider() -> None:
    """In its outage there has to be another. Those of its offers that can't have the call don't count."""
    able = Capabilities(context=1)
    offers = [an_offer("huge", f"model-{number:03}", price=a_price(number)) for number in range(80)]
    offers = [msgspec.structs.replace(each, capabilities=able) if n < 40 else each for n, each in enumerate(offers)]
    decision = choose([*offers, an_offer("other", price=a_price(9_000_000))], a_request("auto"))

    assert [*[f"model-{number:03}@huge" for number in range(40, 50)], "small@other"] == [
        each.offer.id for each in decision.candidates
    ]


@pytest.mark.parametrize("strategy", Strategy)
def test_of_many_offers_those_that_are_half_open_hide_none_that_is_well(strategy: Strategy) -> None:
    offers = market(a_price(rate * 1_000_000, rate * 1_000_000) for rate in range(1, 44))
    health = Health()
    for offer in offers[:40]:
        health.fail(offer)

    applied, conditions = Applied(strategy=strategy), health.after(31.0)
    are_probes = [each.is_probe for each in choose(offers, applied=applied, conditions=conditions).candidates]

    assert (3, 17) == (are_probes.count(False), are_probes.count(True))
    assert sorted(are_probes[1:]) == are_probes[1:]


def test_the_fastest_offer_comes_first_where_latency_counts() -> None:
    """However dear it is; what fails a lot is slower than it looks."""
    offers = market([a_price(1_000_000), a_price(2_000_000), a_price(3_000_000)])
    health = Health()
    for offer, seconds in zip(offers, (3.0, 1.0, 1.05), strict=True):
        health.succeed(offer, seconds)

    assert ["provider-01", "provider-02", "provider-00"] == _fastest(offers, health.after())
    health.fail(offers[1])
    health.succeed(offers[1], 1.0, at=NOW + 31.0)
    assert ["provider-02", "provider-01", "provider-00"] == _fastest(offers, health.after(31.0))


def test_one_call_in_ten_finds_out_how_fast_an_offer_is_the_cheapest_first() -> None:
    """Of those that nothing is known of."""
    offers = market([a_price(3_000_000), a_price(9_000_000), a_price(1_000_000), a_price(2_000_000)])
    health = Health()
    health.succeed(offers[0], 3.0)
    health.succeed(offers[1], 1.0)
    known, unknown = ["provider-01", "provider-00"], ["provider-02", "provider-03"]

    assert [*unknown, *known] == _fastest(offers, replace(health.after(), chance=lambda: 0.099))
    assert [*known, *unknown] == _fastest(offers, replace(health.after(), chance=lambda: 0.1))


@pytest.mark.parametrize(
    ("applied", "order"),
    [
        (Applied(strategy=Strategy.ROUND_ROBIN), [2, 0, 1]),
        (Applied(strategy=Strategy.WEIGHTED), [1, 2, 0]),
        (Applied(strategy=Strategy.WEIGHTED, weights={"provider-02": 1_000}), [2, 1, 0]),
        (Applied(spread=0.1), [1, 0, 2]),
    ],
)
def test_policies_have_offers_take_turns_or_chance_choose(applied: Applied, order: Sequence[int]) -> None:
    """Chance says 0.9, then 0.1, then 0.5."""
    offers = market([a_price(1_000_000), a_price(1_010_000), a_price(9_000_000)])
    conditions = replace(some_conditions(turn=5), chance=iter((0.9, 0.1, 0.5)).__next__)

    found = choose(offers, applied=applied, conditions=conditions).candidates

    assert [offers[number].provider for number in order] == providers(found)


def _fastest(offers: Sequence[Offer], conditions: Conditions) -> list[str]:
    applied = Applied(strategy=Strategy.LOWEST_LATENCY)
    return providers(choose(offers, applied=applied, conditions=conditions).candidates)


def _ranked(offers: Sequence[Offer], request_: Request | None = None) -> list[str]:
    return providers(choose(offers, request_).candidates)


def _some_dishonest(offers: Sequence[Offer], data: st.DataObject) -> Conditions:
    """Some charge more than they quote, others less."""
    some = data.draw(st.lists(st.sampled_from(offers), max_size=3))
    return some_conditions(charges=charging(some, data.draw(st.floats(0.5, 5.0))))


def _snapshot(conditions: Conditions) -> object:
    return (
        conditions.forecast.snapshot(),
        conditions.charges.snapshot(),
        conditions.health.snapshot(NOW, 0),
        set(conditions.health.troubled),
    )
