"""Who charges what was quoted, and who is known not to."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Msat
from satisfice.routing import charges as module
from satisfice.routing.charges import Charges, ChargesSnapshot
from tests.build import a_price, an_offer

_OFFER: Final = an_offer()
_AMOUNTS: Final = st.integers(-(10**400), 10**400)


def test_everybody_is_honest_until_shown_otherwise() -> None:
    charges = Charges()

    assert 1.0 == charges.factor(_OFFER.id)
    assert {} == charges.factors


def test_who_charges_three_times_the_price_is_known_for_it_within_ten_calls() -> None:
    charges = Charges()
    factors = []
    for _ in range(10):
        _note(charges, 3_000)
        factors.append(charges.factor(_OFFER.id))

    assert sorted(factors) == factors
    assert factors[0] < 2.0 < factors[4] < 2.5 < factors[9] < 3.0


def test_one_absurd_charge_may_be_a_mistake() -> None:
    charges = Charges()
    _note(charges, 10**9)

    assert 1.5 < charges.factor(_OFFER.id) < 2.0


def test_who_keeps_charging_absurdly_is_known_for_it() -> None:
    charges = Charges()
    for _ in range(10):
        _note(charges, 10**9)

    assert 15.0 < charges.factor(_OFFER.id) <= 20.0


def test_large_calls_count_more_than_small_ones() -> None:
    """A minimum of one sat makes tiny calls dear and large ones no dearer."""
    charges = Charges()
    for _ in range(20):
        _note(charges, 1_000_000, expected=1_000_000)
        _note(charges, 1_000, expected=10)

    assert 1.0 == charges.factor(_OFFER.id)


@pytest.mark.parametrize("charged", [990, 1_000, 1_010])
def test_small_departures_are_not_worth_a_look(charged: int) -> None:
    charges = Charges()
    for _ in range(30):
        _note(charges, charged)

    assert {} == charges.factors


def test_who_becomes_honest_is_forgiven_by_what_it_charges() -> None:
    charges = Charges()
    for _ in range(20):
        _note(charges, 3_000)
    for _ in range(200):
        _note(charges, 1_000)

    assert {} == charges.factors


def test_who_charges_less_is_known_for_that_too() -> None:
    charges = Charges()
    for _ in range(200):
        _note(charges, 0)

    assert {_OFFER.id: 0.5} == charges.factors


def test_free_calls_and_those_without_a_price_tell_nothing() -> None:
    charges = Charges()
    _note(charges, 1_000, expected=0)
    _note(charges, 1_000, expected=10**400)
    _note(charges, 1_000, offer=an_offer(price=None))

    assert ChargesSnapshot() == charges.snapshot()


@given(st.lists(st.tuples(_AMOUNTS, _AMOUNTS), max_size=20))
def test_a_factor_is_within_its_bounds_whatever_is_charged(calls: list[tuple[int, int]]) -> None:
    charges = Charges()
    for charged, expected in calls:
        _note(charges, charged, expected=expected)

        assert 0.5 <= charges.factor(_OFFER.id) <= 20.0


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=20), st.integers(0, 19), st.integers(1, 10**6))
def test_charging_more_never_makes_an_offer_look_cheaper(calls: list[int], which: int, more: int) -> None:
    dearer = list(calls)
    dearer[which % len(calls)] += more
    before, after = Charges(), Charges()
    for charges, amounts in ((before, calls), (after, dearer)):
        for amount in amounts:
            _note(charges, amount)

    # Departures too small to be told are not compared.
    assert before.factor(_OFFER.id) <= after.factor(_OFFER.id) + 0.03


def test_a_new_price_begins_with_half_of_what_was_known() -> None:
    charges = Charges()
    for _ in range(100):
        _note(charges, 4_000)
    charges.requote([_dearer(by=1.5), an_offer("somebody else")])

    assert 2.0 == pytest.approx(charges.factor(_OFFER.id), rel=0.01)
    for _ in range(10):
        _note(charges, 1_000, offer=_dearer(by=1.5))
    assert charges.factor(_OFFER.id) < 1.25


def test_a_new_price_is_seen_by_a_call_too() -> None:
    told, called = Charges(), Charges()
    for charges in (told, called):
        for _ in range(20):
            _note(charges, 4_000)
    told.requote([_dearer(by=3.0)])
    for charges in (told, called):
        _note(charges, 3_000, offer=_dearer(by=3.0))

    assert told.factor(_OFFER.id) == called.factor(_OFFER.id)


def test_a_price_that_drifts_washes_nobody_clean() -> None:
    charges = Charges()
    for _ in range(20):
        _note(charges, 4_000)
    before = charges.factor(_OFFER.id)
    for step in range(1, 40):
        charges.requote([_dearer(by=1.05**step)])

    assert before == charges.factor(_OFFER.id)


@pytest.mark.parametrize("price", [None, a_price(), a_price(1_050_000, 2_050_000)])
def test_without_a_new_price_everything_stays(price: object) -> None:
    charges = Charges()
    for _ in range(20):
        _note(charges, 4_000)
    before = charges.factor(_OFFER.id)
    charges.requote([msgspec.structs.replace(_OFFER, price=price)])

    assert before == charges.factor(_OFFER.id)


def test_who_is_almost_honest_at_a_new_price_has_no_factor_any_more() -> None:
    charges = Charges()
    _note(charges, 1_120)
    assert 1.03 == pytest.approx(charges.factor(_OFFER.id), abs=0.005)
    charges.requote([_dearer(by=2.0)])

    assert {} == charges.factors


def test_what_was_learnt_is_still_known_after_a_restart() -> None:
    before, after = Charges(), Charges()
    for _ in range(20):
        _note(before, 3_000)
        _note(before, 1_000, offer=an_offer("honest"))
    text = msgspec.json.encode(before.snapshot())
    after.restore(msgspec.json.decode(text, type=ChargesSnapshot))

    assert before.factors == after.factors
    assert before.snapshot() == after.snapshot()
    _note(after, 1_000)
    assert 1.0 < after.factor(_OFFER.id) < before.factor(_OFFER.id)


@pytest.mark.parametrize("factor", [0.0, 0.4, 21.0, -1.0])
def test_a_factor_out_of_bounds_is_refused(factor: float) -> None:
    text = msgspec.json.encode(ChargesSnapshot(offers={_OFFER.id: (factor, a_price())}))

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=ChargesSnapshot)


def test_offers_that_were_not_used_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OFFERS", 2)
    charges = Charges()
    for provider in ("a", "b", "a", "c"):
        _note(charges, 3_000, offer=an_offer(provider))
    charges.requote([an_offer("a")])

    assert {"small@a", "small@c"} == charges.factors.keys()
    assert charges.factors.keys() == charges.snapshot().offers.keys()


def _note(charges: Charges, charged: int, *, expected: int = 1_000, offer: Offer = _OFFER) -> None:
    charges.note(offer, expected=Msat(expected), charged=Msat(charged))


def _dearer(*, by: float) -> Offer:
    return an_offer(price=a_price(round(1_000_000 * by), round(2_000_000 * by)))
