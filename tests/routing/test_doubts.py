"""What is the matter with offers, in words and in seconds."""

from __future__ import annotations

from typing import Final

import pytest

from satisfice.core.clock import ManualClock
from satisfice.health.book import HealthBook, Trouble, TroubleKind
from satisfice.routing.doubts import Doubts
from tests.build import an_offer, some_conditions
from tests.routing.choosing import NOW, Health, choose, codes, market, providers

_OFFER: Final = an_offer("acme")
_SIBLING: Final = an_offer("acme", "large")
_OTHER: Final = an_offer("other")


def test_of_who_has_not_failed_nothing_is_said() -> None:
    health = Health()
    health.fail(_SIBLING)

    assert [None, None] == [_doubts(health.book).about(offer) for offer in (_OFFER, _OTHER)]


def test_an_offer_has_troubles_of_its_own() -> None:
    health = Health()
    health.fail(_OFFER)
    trouble = _doubts(health.book).about(_OFFER)

    assert Trouble(TroubleKind.OPEN, NOW + 30.0, "status 500", "offer") == trouble


def test_an_offer_has_its_provider_s_troubles() -> None:
    health = Health()
    health.lose(_SIBLING, an_offer("acme", "huge"))
    doubts = _doubts(health.book)
    trouble = doubts.about(_OFFER)

    assert Trouble(TroubleKind.OPEN, NOW + 30.0, "no connection", "provider") == trouble
    assert trouble is doubts.about(an_offer("acme", "tiny"))
    assert doubts.about(_OTHER) is None


def test_of_both_the_one_that_lasts_longer_is_told() -> None:
    health = Health()
    health.rest(_OFFER, 500.0)
    health.lose(_SIBLING, an_offer("acme", "huge"))
    doubts = _doubts(health.book)

    assert ["provider", "offer"] == [
        trouble.scope for offer in (_SIBLING, _OFFER) if (trouble := doubts.about(offer)) is not None
    ]


def test_a_provider_that_is_well_again_is_well_for_all_of_its_offers() -> None:
    """The book takes it off its list as soon as it is asked."""
    health = Health()
    health.rest(_SIBLING, 5.0, whole_provider=True)
    doubts = _doubts(health.book, NOW + 5.0)

    assert [None, None] == [doubts.about(_OFFER), doubts.about(_SIBLING)]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        (TroubleKind.OPEN, "left alone for another 12 s after: status 500"),
        (TroubleKind.PROBING, "being tried by another call, for at most 12 s, after: status 500"),
        (TroubleKind.HALF_OPEN, "half-open, so that one call at a time tries it, after: status 500"),
        (TroubleKind.RESTING, "resting for another 12 s after: status 500"),
    ],
)
def test_a_reason_says_what_is_the_matter_and_for_how_long(kind: TroubleKind, detail: str) -> None:
    reason = _doubts().reason(_OFFER, Trouble(kind, NOW + 12.0, "status 500", "offer"))

    assert (kind.value, detail) == reason


def test_what_is_over_by_now_lasts_no_longer() -> None:
    reason = _doubts().reason(_OFFER, Trouble(TroubleKind.RESTING, NOW - 1.0, "status 429", "offer"))

    assert "resting for another 0 s after: status 429" == reason.detail


def test_a_provider_s_reason_is_the_same_for_all_of_its_offers() -> None:
    """It may have hundreds, and each decision names them all."""
    doubts = _doubts()
    shared, own = (Trouble(TroubleKind.OPEN, NOW + 1.0, scope, scope) for scope in ("provider", "offer"))

    assert doubts.reason(_OFFER, shared) is doubts.reason(_SIBLING, shared)
    assert doubts.reason(_OFFER, own) is not doubts.reason(_SIBLING, own)


@pytest.mark.parametrize(
    ("kind", "seconds", "ready"),
    [
        (TroubleKind.OPEN, 1.0, None),
        (TroubleKind.PROBING, 2.0, 2.0),
        (TroubleKind.PROBING, 50.0, 3.0),
        (TroubleKind.HALF_OPEN, 0.0, 0.0),
        (TroubleKind.RESTING, 10.0, 10.0),
        (TroubleKind.RESTING, 10.5, None),
    ],
)
def test_a_probe_and_a_rest_are_waited_for_but_not_for_too_long(
    kind: TroubleKind, seconds: float, ready: float | None
) -> None:
    trouble = Trouble(kind, NOW + seconds, "", "offer")

    assert (None if ready is None else NOW + ready) == _doubts().ready(trouble)


def test_what_comes_of_another_call_s_probe_is_waited_for_if_there_is_no_other() -> None:
    health = Health()
    health.fail(_OFFER)
    health.enter(_OFFER, NOW + 31.0)

    [candidate] = choose([_OFFER], conditions=health.after(31.0)).candidates
    assert (NOW + 31.0 + 3.0, False) == (candidate.ready, candidate.is_probe)

    decision = choose([_OFFER, _OTHER], conditions=health.after(31.0))
    assert ["other"] == providers(decision.candidates)
    assert [("small@acme", "probing")] == codes(decision)


def test_who_has_rested_is_as_usable_as_before() -> None:
    health = Health()
    health.rest(_OFFER, 5.0)

    assert ["acme", "other"] == providers(choose([_OFFER, _OTHER], conditions=health.after(5.0)).candidates)


def test_offers_of_unknown_price_have_their_troubles_too() -> None:
    """What is well comes before what has to be probed, and that before what has to be waited for."""
    offers = market([None] * 4)
    health = Health()
    health.rest(offers[0], 40.0)
    health.fail(offers[1])
    health.fail(offers[2])
    conditions = health.after(31.0)

    candidates = choose(offers, conditions=conditions, allow_unpriced=True).candidates
    assert ["provider-03", "provider-01", "provider-02"] == providers(candidates)

    [candidate] = choose(offers[:1], conditions=conditions, allow_unpriced=True).candidates
    assert (NOW + 40.0, None) == (candidate.ready, candidate.cost)


def test_an_offer_that_rests_is_not_waited_for_where_one_of_unknown_price_is_well() -> None:
    health = Health()
    health.rest(_OFFER, 5.0)
    offers = [_OFFER, an_offer("unpriced", price=None)]

    candidates = choose(offers, conditions=health.after(), allow_unpriced=True).candidates
    assert ["unpriced"] == providers(candidates)

    health.rest(offers[1], 1.0)
    candidates = choose(offers, conditions=health.after(), allow_unpriced=True).candidates
    assert ["acme", "unpriced"] == providers(candidates)


def _doubts(book: HealthBook | None = None, now: float = NOW) -> Doubts:
    return Doubts(some_conditions(ManualClock(now=now), health=book or Health().book))
