"""Pools: which offers a kind of request may have, why not the others, and which of many are looked at first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.lessons import Lessons
from satisfice.catalog.model import AUTO, Capabilities, ModelId
from satisfice.catalog.names import Named
from satisfice.catalog.offers import Catalog, Offer, Price
from satisfice.core.amounts import Msat, Rate, Usage
from satisfice.core.errors import UnknownModel
from satisfice.routing import pool as module
from satisfice.routing.cost import cost_of
from satisfice.routing.forecast import Forecast, kind_of
from satisfice.routing.policy import NONE, Applied, Policy
from satisfice.routing.pool import Pool, Pools
from satisfice.wire.request import Ability, Request
from tests.build import a_catalog, a_pool, a_price, a_request, an_offer

_NOTHING: Final[frozenset[Ability]] = frozenset()
_EU: Final = Policy(name="eu", allow_providers=("eu-*",))
_RATES: Final = st.integers(0, 10**9)
_PRICES: Final = st.builds(a_price, _RATES, _RATES, cache_read=st.none() | _RATES, base_fee=_RATES)
_ENDLESS: Final = 10**400


def test_a_pool_is_made_once_for_each_question() -> None:
    pools = Pools(a_catalog(), Lessons())
    pool = _find(pools)

    assert pool is _find(pools)
    assert pool is not _find(pools, needs=frozenset((Ability.TOOLS,)))
    assert pool is not _find(pools, applied=Applied())
    assert pool is not _find(pools, "small@acme")


def test_a_pool_has_all_offers_of_what_was_asked_for() -> None:
    offers = [an_offer("a"), an_offer("b"), an_offer("b", "large")]
    pool = _find(Pools(Catalog(offers), Lessons()))

    assert ("small", NONE) == (pool.asked, pool.applied)
    assert [("small@a", a_price()), ("small@b", a_price())] == [(each.offer.id, each.price) for each in pool.offers]
    assert ((), (), None) == (tuple(pool.unpriced), tuple(pool.excluded), pool.relaxed)


def test_what_calls_have_taught_counts_once_the_old_pools_are_forgotten() -> None:
    lessons = Lessons()
    pools = Pools(a_catalog([an_offer("a"), an_offer("b")]), lessons)
    tools = frozenset((Ability.TOOLS,))
    _find(pools, needs=tools)
    lessons.learn_lack(an_offer("a").id, Ability.TOOLS)

    assert ["small@a", "small@b"] == _ids(_find(pools, needs=tools))

    pools.forget()

    assert ["small@b"] == _ids(_find(pools, needs=tools))


def test_an_offer_that_lacks_what_the_call_needs_is_excluded() -> None:
    """What it isn't known to have it may have."""
    able = Capabilities(lacks=frozenset((Ability.VISION, Ability.TOOLS)))
    pools = Pools(a_catalog([an_offer("a"), msgspec.structs.replace(an_offer("b"), capabilities=able)]), Lessons())

    pool = _find(pools, needs=frozenset(Ability))

    assert ["small@a"] == _ids(pool)
    assert [("small@b", "lacks_tools")] == _codes(pool)
    assert "it can't do what the call needs: tools" == pool.excluded[0].reason.detail
    assert ["small@a", "small@b"] == _ids(_find(pools, needs=frozenset((Ability.REASONING,))))


def test_an_offer_that_a_policy_forbids_is_excluded() -> None:
    pools = Pools(a_catalog([an_offer("eu-1"), an_offer("us-1")]), Lessons())

    for applied in (Applied(binding=(_EU,)), Applied(advisory=(_EU,))):
        pool = _find(pools, applied=applied)

        assert ["small@eu-1"] == _ids(pool)
        assert [("small@us-1", "provider_denied")] == _codes(pool)


def test_advisory_policies_leave_a_pool_without_them() -> None:
    """What binds binds there as well."""
    cheap = Policy(name="cheap", max_output_msat_per_mtok=Rate(1))
    pools = Pools(a_catalog([an_offer("eu-1"), an_offer("us-1")]), Lessons())

    pool = _find(pools, applied=Applied(binding=(_EU,), advisory=(cheap,)))

    assert [] == _ids(pool)
    assert pool.relaxed is not None
    assert ["small@eu-1"] == _ids(pool.relaxed)
    assert (_EU,) == pool.relaxed.applied.binding
    assert pool.relaxed.relaxed is None


def test_an_offer_without_a_price_is_excluded() -> None:
    pool = _find(Pools(a_catalog([an_offer("a", price=None), an_offer("b")]), Lessons()))

    assert (["small@b"], []) == (_ids(pool), list(pool.unpriced))
    assert [("small@a", "unpriced")] == _codes(pool)


def test_an_offer_without_a_price_may_be_allowed_but_never_where_there_is_a_limit() -> None:
    """It could cost anything."""
    pools = Pools(a_catalog([an_offer("a", price=None), an_offer("b")]), Lessons(), allow_unpriced=True)

    pool = _find(pools)
    assert (["small@b"], ["small@a"], []) == (_ids(pool), [each.id for each in pool.unpriced], _codes(pool))

    rate = Policy(name="rate", max_output_msat_per_mtok=Rate(10**9))
    for applied in (Applied(binding=(rate,)), Applied(advisory=(rate,)), Applied(max_msat_per_call=Msat(10**9))):
        pool = _find(pools, applied=applied)
        assert (["small@b"], [], [("small@a", "unpriced")]) == (_ids(pool), list(pool.unpriced), _codes(pool))


def test_auto_is_never_an_offer_without_a_price() -> None:
    """Nor one that stands for any model: which one would it be?"""
    offers = [an_offer("a", price=None), an_offer("b", "large"), an_offer("c", "*")]
    pool = _find(Pools(Catalog(offers), Lessons(), allow_unpriced=True), AUTO)

    assert (["large@b"], [], []) == (_ids(pool), list(pool.unpriced), _codes(pool))


def test_an_offer_for_any_model_is_one_for_the_model_asked_for() -> None:
    pools = Pools(Catalog([an_offer("a", "*"), an_offer("b")]), Lessons())

    assert ["tiny@a"] == _ids(_find(pools, "tiny"))
    assert ["small@b"] == _ids(_find(pools, "small"))


def test_a_model_that_nobody_offers_is_unknown_and_near_misses_are_named() -> None:
    offers = (an_offer(model=name) for name in ("small", "smaller", "huge"))
    pools = Pools(Catalog(offers, [Named(name="smell", any_of=("huge",))]), Lessons())

    with pytest.raises(UnknownModel) as unknown:
        _find(pools, "smal")

    assert "No offer for the model `smal`." == unknown.value.message
    assert "Did you mean `small` or `smaller` or `smell`? GET /v1/models lists what is offered." == unknown.value.hint
    assert "model" == unknown.value.param


def test_a_model_like_no_other_is_unknown_without_a_guess() -> None:
    with pytest.raises(UnknownModel) as unknown:
        _find(Pools(a_catalog(), Lessons()), "whisper")

    assert UnknownModel.hint == unknown.value.hint


def test_an_endless_name_is_not_repeated_in_full() -> None:
    pools = Pools(a_catalog(), Lessons())

    with pytest.raises(UnknownModel) as unknown:
        _find(pools, "x" * 1_000_000)

    assert f"No offer for the model `{'x' * 100}…`." == unknown.value.message

    with pytest.raises(UnknownModel, match=r"`x{100}`"):
        _find(pools, "x" * 100)


def test_names_that_callers_make_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded by how many offers are held, advised, excluded and unpriced ones as well."""
    monkeypatch.setattr(module, "_HELD", 9)
    offers = [an_offer("a", "*"), an_offer("b", "*", price=None), an_offer("c", "*", price=a_price(5))]
    pools = Pools(Catalog(offers), Lessons(), allow_unpriced=True)
    advised = Applied(advisory=(Policy(name="p", deny_providers=("c",)),))

    _find(pools, "0")
    pools.forget()

    first = _find(pools, "0")
    assert 3 == first.size
    assert first is _find(pools, "0")

    second = _find(pools, "1", applied=advised)
    assert 6 == second.size
    assert second is _find(pools, "1", applied=advised)
    assert first is _find(pools, "0")

    third = _find(pools, "2")
    assert third is _find(pools, "2")
    assert first is not _find(pools, "0")


@given(
    prices=st.lists(_PRICES, max_size=6),
    prompt=st.integers(0, 9_000),
    limit=st.none() | st.integers(1, 3_000),
    choices=st.integers(1, 3),
    cached=st.floats(0.0, 1.0),
)
def test_by_cost_is_the_order_of_list_prices(
    prices: Sequence[Price], prompt: int, *, limit: int | None, choices: int, cached: float
) -> None:
    """Roughly: the share that is cached is rounded to tenths, and a limit is off by half at most."""
    request = a_request(prompt="x" * prompt, max_output=limit, choices=choices)
    forecast = Forecast()
    per_byte, answer = forecast.rates(ModelId("small"), kind_of(request))
    pool = _a_pool(prices)

    found = list(_by_cost(pool, request, forecast, cached=cached))

    assert sorted(cost for cost, _ in found) == [cost for cost, _ in found]
    assert sorted(pool.by_id) == sorted(each.offer.id for _, each in found)
    for cost, (_, price) in found:
        read = price.input if price.cache_read is None else price.cache_read
        share = round(cached, 1)
        rest = price.base_fee + request.body.size * per_byte * ((1.0 - share) * price.input + share * read) / 1e6
        answers = choices * price.output * answer / 1e6
        limited = answers if limit is None else choices * price.output * min(limit, answer) / 1e6
        assert 0.999 * (rest + limited / 1.5) <= cost <= 1.001 * (rest + min(answers, limited * 1.5))


def test_senseless_and_endless_limits_turn_no_order_round() -> None:
    """The upstream will refuse them, and until then no offer may look cheap."""
    pool = _a_pool([a_price(2, 2), a_price(1, 1)])

    for limit in (-_ENDLESS, -1, 0, 1, _ENDLESS):
        for choices in (-_ENDLESS, -1, 0, 1, _ENDLESS):
            request = a_request(max_output=limit, choices=choices)
            (low, first), (high, _) = _by_cost(pool, request, Forecast())
            assert ("provider-0001", True) == (first.offer.provider, 0.0 < low < high < math.inf)


def test_what_the_forecast_learns_counts_after_a_while() -> None:
    """A pool of hundreds is not computed anew for each call."""
    pool, forecast = _a_pool([a_price(0, 2_000_000)]), Forecast()
    costs = []
    for _ in range(64):
        costs.append(_cost(pool, forecast))
        forecast.learn(a_request(), ModelId("small"), kind=kind_of(a_request()), usage=Usage(uncached=10, text=3_000))

    assert {600.0} == set(costs)
    assert 600.0 < _cost(pool, forecast) < 6_000.0
    assert pytest.approx(_cost(_a_pool([a_price(0, 2_000_000)]), forecast)) == _cost(pool, forecast)


def test_each_kind_of_call_has_answers_of_its_own() -> None:
    pool, forecast = _a_pool([a_price(0, 1_000_000)]), Forecast()
    hard = msgspec.structs.replace(a_request(), effort="high")

    assert [300.0, 1_500.0] == [_cost(pool, forecast, request) for request in (a_request(), hard)]


def test_up_to_a_thousand_offers_are_all_kept() -> None:
    assert 1_000 == len(_a_pool([a_price(number, number) for number in range(1_000)]).offers)


@pytest.fixture(scope="module")
def market() -> Sequence[Offer]:
    """Fifty thousand offers of much the same price, and five that are the cheapest for calls of one shape alone."""
    return [*(_usual(number) for number in range(50_000)), *_SPECIAL]


@pytest.fixture(scope="module")
def pruned(market: Sequence[Offer]) -> Pool:
    return _find(Pools(Catalog(market), Lessons()), AUTO)


@pytest.mark.parametrize(
    ("tokens_in", "cached", "tokens_out", "best"),
    [
        (10, 0, 1, "tiny"),
        (50, 0, 3_000, "writes"),
        (30_000, 0, 0, "reads"),
        (50_000, 45_000, 500, "remembers"),
        (200_000, 0, 300, "long"),
        (1_000, 0, 300, "provider-00"),
        (10_000, 0, 300, "provider-00"),
    ],
)
def test_of_too_many_offers_the_cheapest_are_kept_for_every_shape_of_call(
    tokens_in: int, cached: int, *, tokens_out: int, best: str, market: Sequence[Offer], pruned: Pool
) -> None:
    def cost(offer: Offer) -> int:
        assert offer.price is not None
        return cost_of(offer.price, tokens_in, cached=cached, tokens_out=tokens_out, is_written=False)

    offers = [each.offer for each in pruned.offers]
    assert best == min(market, key=cost).provider == min(offers, key=cost).provider


def test_of_too_many_offers_a_few_hundred_are_left_in_the_same_order(pruned: Pool) -> None:
    names = [each.offer.provider for each in pruned.offers]

    assert 100 < len(names) < 1_000
    assert sorted(names) == names


def test_of_too_many_offers_not_all_that_are_left_are_of_those_who_have_all_that_is_cheap(pruned: Pool) -> None:
    """Otherwise their outage would leave nothing."""
    dear = {each.offer.provider for each in pruned.offers if each.offer.provider >= "provider-10"}

    assert len(dear - {each.provider for each in _SPECIAL}) >= 10


_SPECIAL: Final = (
    an_offer("tiny", price=a_price(9_000_000, 9_000_000, cache_read=9_000_000)),
    an_offer("writes", price=a_price(9_000_000, 500_000, cache_read=9_000_000, base_fee=500)),
    an_offer("reads", price=a_price(600_000, 30_000_000, cache_read=9_000_000, base_fee=500)),
    an_offer("remembers", price=a_price(3_000_000, 2_000_000, cache_read=0, base_fee=500)),
    an_offer("long", price=a_price(500_000, 2_000_000, cache_read=500_000, base_fee=20_000)),
)


def _usual(number: int) -> Offer:
    """About a msat a token in and two out, half a sat a call. Of a hundred providers ten are cheaper by far."""
    level = (950_000 if number % 100 < 10 else 1_050_000) - number // 100 * 100
    price = a_price(level, 2 * level, cache_read=level - 100_000, base_fee=500)
    return an_offer(f"provider-{number % 100:02}", f"model-{number // 100}", price=price)


def _find(pools: Pools, asked: str = "small", *, applied: Applied = NONE, needs: frozenset[Ability] = _NOTHING) -> Pool:
    return pools.find(asked, applied, needs=needs)


def _a_pool(prices: Iterable[Price]) -> Pool:
    offers = [an_offer(f"provider-{number:04}", price=price) for number, price in enumerate(prices)]
    return _find(Pools(Catalog([*offers, an_offer(model="other")]), Lessons()), "small" if offers else "other")


@pytest.mark.parametrize(
    ("rates", "has_caches"), [((None, None), False), ((None, 100_000), True), ((100_000,), False)], ids=str
)
def test_conversations_matter_where_there_is_a_choice_and_a_cache(
    rates: tuple[int | None, ...], *, has_caches: bool
) -> None:
    """Without a cache to lose, who switches loses nothing, and nobody has to know what goes on with what."""
    offers = [an_offer(f"p{number}", price=a_price(cache_read=rate)) for number, rate in enumerate(rates)]

    assert has_caches is a_pool(offers).has_caches


def _by_cost(
    pool: Pool, request: Request, forecast: Forecast, *, cached: float = 0.0
) -> Iterable[tuple[float, module.Priced]]:
    return pool.by_cost(request, kind_of(request), forecast=forecast, cached=cached)


def _cost(pool: Pool, forecast: Forecast, request: Request | None = None) -> float:
    [(cost, _)] = _by_cost(pool, request or a_request(), forecast)
    return cost


def _ids(pool: Pool) -> list[str]:
    return [each.offer.id for each in pool.offers]


def _codes(pool: Pool) -> list[tuple[str, str]]:
    return [(offer.id, reason.code) for offer, reason in pool.excluded]
