"""Orders: in turn, by weight and by chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.clock import ManualClock
from satisfice.routing.order import drawn, rotated, spread
from satisfice.routing.pool import Priced
from tests.build import a_price, an_offer

_CALLS: Final = 3_000
_CHANCES: Final = st.floats(0.0, 1.0, exclude_max=True)


def test_each_turn_begins_one_further() -> None:
    offers = _offers("abc")

    assert ["abc", "bca", "cab", "abc"] == ["".join(_providers(rotated(offers, turn))) for turn in range(4)]


def test_of_nobody_it_is_nobody_s_turn() -> None:
    assert [] == list(rotated((), 7))


@given(providers=st.text("abcd", max_size=9), weights=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9)))
def test_all_are_drawn_and_those_of_one_provider_in_their_order(providers: str, weights: Mapping[str, int]) -> None:
    offers = [Priced(an_offer(each, f"model-{n}"), a_price()) for n, each in enumerate(providers)]
    order = list(drawn(offers, weights, chance=ManualClock().chance))

    assert sorted(order, key=offers.index) == offers
    for provider in providers:
        theirs = [each for each in order if each.offer.provider == provider]
        assert sorted(theirs, key=offers.index) == theirs


def test_providers_are_first_as_often_as_their_weights_say_however_many_offers_they_have() -> None:
    offers = _offers("aaaaaabc")
    chance = ManualClock().chance

    firsts = Counter(_providers(drawn(offers, {"b": 2, "c": 3}, chance=chance))[0] for _ in range(_CALLS))

    shares = [firsts[each] / _CALLS for each in "abc"]
    assert pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.03) == shares


def test_the_second_to_be_tried_is_of_another_provider() -> None:
    """Its outage is the likeliest reason to need it."""
    order = _providers(drawn(_offers("aaabb"), {}, chance=ManualClock().chance))

    assert {"a", "b"} == set(order[:2]) == set(order[2:4])


def test_those_who_are_close_to_the_best_take_turns_by_chance_the_better_the_likelier() -> None:
    chance = ManualClock().chance
    ranked = [100.0, 150.0, 151.0, 900.0]

    orders = [spread(ranked, float, share=0.5, chance=chance) for _ in range(_CALLS)]

    assert {(151.0, 900.0)} == {tuple(order[2:]) for order in orders}
    firsts = Counter(order[0] for order in orders)
    assert pytest.approx(150 / 250, abs=0.03) == firsts[100.0] / _CALLS


@pytest.mark.parametrize("best", [0.0, math.inf])
def test_those_who_are_free_and_those_of_whom_nothing_is_known_are_equally_likely(best: float) -> None:
    """Nothing divides them, and no share of nothing is more than nothing."""
    chance = ManualClock().chance
    ranked = [("a", best), ("b", best), ("c", best)]

    firsts = Counter(spread(ranked, _second, share=0.1, chance=chance)[0][0] for _ in range(_CALLS))

    assert pytest.approx([1 / 3] * 3, abs=0.03) == [firsts[each] / _CALLS for each in "abc"]


@given(
    scores=st.lists(st.integers(0, 9).map(float) | st.just(math.inf), min_size=1, max_size=8).map(sorted),
    share=st.floats(0.0, 1.0),
    chances=st.lists(_CHANCES, min_size=8, max_size=8),
)
def test_nobody_goes_before_one_that_is_better_by_more_than_the_share(
    scores: Sequence[float], share: float, chances: Sequence[float]
) -> None:
    order = spread(scores, float, share=share, chance=_said(chances))
    near = [each for each in scores if each <= scores[0] * (1.0 + share)]

    assert scores == sorted(order)
    assert near == sorted(order[: len(near)])
    assert scores[len(near) :] == order[len(near) :]


def _offers(providers: str) -> list[Priced]:
    return [Priced(an_offer(each, f"model-{number}"), a_price()) for number, each in enumerate(providers)]


def _providers(offers: Iterable[Priced]) -> list[str]:
    return [each.offer.provider for each in offers]


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _said(chances: Sequence[float]) -> Callable[[], float]:
    return iter(chances).__next__
