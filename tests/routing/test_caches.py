"""What providers' caches are expected to serve, and what is learnt from what they did."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.amounts import Usage
from satisfice.routing import caches as module
from satisfice.routing.caches import Caches, CachesSnapshot, served
from tests.build import a_price, an_offer

_OFFER: Final = an_offer(price=a_price(cache_read=100_000))
_SEEN: Final = st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1.0)), max_size=30)


def test_four_fifths_of_what_was_read_are_kept_for_five_minutes_before_anything_is_known() -> None:
    caches = Caches({})

    assert 8_000 == caches.kept(_OFFER, 10_000)
    assert [True, False] == [caches.holds(_OFFER, 10_000, gap=gap) for gap in (300.0, 300.1)]


def test_the_operator_may_know_better_how_long() -> None:
    assert 3_600.0 == _lifetime(Caches({"acme": 3_600.0}))


def test_less_than_1024_tokens_are_not_cached() -> None:
    caches = Caches({})

    assert [0, 819] == [caches.kept(_OFFER, tokens) for tokens in (1_023, 1_024)]
    assert [False, True] == [caches.holds(_OFFER, tokens, gap=0.0) for tokens in (1_023, 1_024)]


@pytest.mark.parametrize("offer", [an_offer(), an_offer(price=None)])
def test_without_a_price_for_cached_tokens_caching_brings_nothing(offer: object) -> None:
    offer = msgspec.convert(offer, type(_OFFER))
    caches = Caches({})

    assert 0 == caches.kept(offer, 10_000)
    assert not caches.holds(offer, 10_000, gap=0.0)
    assert served(offer, 10_000, usage=Usage(cache_read=10_000)) is None


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        (Usage(uncached=2_000, cache_read=8_000), 0.8),
        (Usage(uncached=12_000), 0.0),
        (Usage(uncached=3_000, cache_read=2_000), 0.4),  # shorter than what was read: all of it could be cached
        (Usage(uncached=1, cache_read=20_000), 1.0),  # more than we know of: others ask for the same
        (Usage(uncached=1_000), None),  # too short for any cache
        (Usage(), None),
    ],
)
def test_the_share_served_is_that_of_what_could_be(usage: Usage, share: float | None) -> None:
    assert share == served(_OFFER, 10_000, usage=usage)


def test_the_share_that_a_provider_serves_is_learnt() -> None:
    caches = Caches({})
    for _ in range(30):
        caches.learn("acme", gap=5.0, share=1.0)
        caches.learn("other", gap=5.0, share=0.0)

    assert caches.kept(_OFFER, 10_000) > 9_500
    assert caches.kept(an_offer("other", price=_OFFER.price), 10_000) < 500


def test_hits_after_longer_gaps_lengthen_the_lifetime_towards_them() -> None:
    caches = Caches({})
    lifetimes = []
    for _ in range(8):
        caches.learn("acme", gap=3_000.0, share=1.0)
        lifetimes.append(_lifetime(caches))

    assert sorted(lifetimes) == lifetimes
    assert 300.0 * 10.0**0.5 == pytest.approx(lifetimes[0])
    assert 2_900.0 < lifetimes[-1] <= 3_000.0
    assert 8_000 == caches.kept(_OFFER, 10_000)


def test_misses_after_shorter_gaps_shorten_the_lifetime_towards_them() -> None:
    caches = Caches({})
    for _ in range(30):
        caches.learn("acme", gap=100.0, share=0.0)
        caches.learn("acme", gap=5.0, share=1.0)

    assert 100.0 <= _lifetime(caches) < 130.0
    assert caches.kept(_OFFER, 10_000) > 7_500


def test_a_miss_right_after_tells_of_the_share_rather_than_of_the_lifetime() -> None:
    """The call came to another machine of the provider's."""
    caches = Caches({})
    for _ in range(100):
        caches.learn("acme", gap=2.0, share=0.0)
        caches.learn("acme", gap=2.0, share=1.0)

    assert 290.0 < _lifetime(caches) < 300.0
    assert 4_000 < caches.kept(_OFFER, 10_000) < 7_000


@pytest.mark.parametrize("gap", [300.5, 1e6])
def test_a_miss_after_the_lifetime_is_no_news(gap: float) -> None:
    caches, untouched = Caches({}), Caches({})
    caches.learn("acme", gap=gap, share=0.4)
    untouched.holds(_OFFER, 10_000, gap=0.0)

    assert untouched.snapshot() == caches.snapshot()


def test_a_clock_read_in_the_wrong_order_does_no_harm() -> None:
    caches = Caches({})
    caches.learn("acme", gap=-3.0, share=0.0)

    assert 300.0 == _lifetime(caches)


@given(_SEEN, st.floats(0.0, 1e6), st.floats(0.0, 1.0))
def test_a_hit_never_shortens_a_lifetime_and_a_miss_never_lengthens_it(
    seen: list[tuple[float, float]], gap: float, share: float
) -> None:
    caches = Caches({})
    for each_gap, each_share in seen:
        caches.learn("acme", gap=each_gap, share=each_share)
    before = _lifetime(caches)
    caches.learn("acme", gap=gap, share=share)
    after = _lifetime(caches)

    assert 30.0 <= after <= 86_400.0
    if share >= 0.5:
        assert before <= after <= max(before, gap) * (1 + 1e-9)
    else:
        assert min(before, gap) * (1 - 1e-9) <= after <= before


@given(_SEEN, st.integers(0, 10**9))
def test_no_more_is_kept_than_was_read(seen: list[tuple[float, float]], tokens: int) -> None:
    caches = Caches({})
    for gap, share in seen:
        caches.learn("acme", gap=gap, share=share)

    assert 0 <= caches.kept(_OFFER, tokens) <= tokens


@pytest.mark.parametrize(("believed", "lifetime"), [(1.0, 30.0), (1e9, 86_400.0)])
def test_a_lifetime_beyond_reason_is_bounded(believed: float, lifetime: float) -> None:
    assert lifetime == _lifetime(Caches({"acme": believed}))


def test_what_was_learnt_is_still_known_after_a_restart() -> None:
    before, after = Caches({"acme": 60.0}), Caches({"acme": 60.0})
    for gap, share in ((10.0, 1.0), (50.0, 0.0), (200.0, 1.0)):
        before.learn("acme", gap=gap, share=share)
        before.learn("other", gap=gap, share=share)
    text = msgspec.json.encode(before.snapshot())
    after.restore(msgspec.json.decode(text, type=CachesSnapshot))
    assert before.snapshot() == after.snapshot()

    for caches in (before, after):
        caches.learn("acme", gap=30.0, share=0.3)
    assert before.snapshot() == after.snapshot()


def test_what_was_learnt_is_forgotten_when_the_operator_says_otherwise() -> None:
    caches = Caches({})
    caches.learn("acme", gap=3_000.0, share=1.0)
    caches.learn("acme", gap=3.0, share=0.0)
    kept = caches.kept(an_offer("new", price=_OFFER.price), 10_000)
    caches.lifetimes = {"acme": 120.0}

    assert 120.0 == _lifetime(caches)
    assert kept == caches.kept(_OFFER, 10_000)


def test_who_is_new_is_taken_to_hold_what_all_together_do() -> None:
    caches, new = Caches({}), an_offer("new", price=_OFFER.price)
    assert 8_000 == caches.kept(new, 10_000)

    for provider in ("acme", "bell") * 20:
        caches.learn(provider, gap=1.0, share=1.0)
    assert 9_800 < caches.kept(new, 10_000) < 10_000

    caches.learn("new", gap=1.0, share=0.0)
    assert caches.kept(new, 10_000) < 8_000
    assert 9_500 < caches.kept(_OFFER, 10_000)


def test_providers_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROVIDERS", 2)
    caches = Caches({})
    for provider in ("a", "b", "c"):
        caches.learn(provider, gap=3.0, share=1.0)

    assert {"b", "c"} == caches.snapshot().providers.keys()


def _lifetime(caches: Caches) -> float:
    caches.holds(_OFFER, 10_000, gap=0.0)
    return caches.snapshot().providers["acme"].lifetime


def test_what_was_kept_before_there_was_a_common_share_is_taken_up() -> None:
    caches = Caches({})
    caches.restore(CachesSnapshot())

    assert Caches({}).snapshot() == caches.snapshot()
