"""When all who sell a model are down: who is tried first, how soon, and what the others do once one is up again."""

from __future__ import annotations

from satisfice.health.book import HealthBook, TroubleKind
from satisfice.health.breaker import Limits, State
from tests.build import an_offer
from tests.health.life import Life

_FIRST, _SECOND, _SAME_HOUSE = an_offer("acme"), an_offer("bell"), an_offer("bell", "large")
_ALL = [_FIRST, _SECOND]


def _all_down() -> Life:
    """The second a second later than the first."""
    life = Life()
    life.fails(_FIRST, _FIRST, _FIRST)
    life.now += 1.0
    life.fails(_SECOND, _SECOND, _SECOND)
    return life


def test_nobody_is_tried_sooner_than_after_a_few_seconds() -> None:
    life = _all_down()
    life.now += 3.9

    assert not life.book.hasten(_ALL, life.now)
    assert [TroubleKind.OPEN] * 2 == [life.trouble(offer) for offer in _ALL]


def test_the_one_that_has_been_left_alone_for_longest_is_tried() -> None:
    life = _all_down()
    life.now += 10.0

    assert life.book.hasten(_ALL, life.now)
    assert [TroubleKind.HALF_OPEN, TroubleKind.OPEN] == [life.trouble(offer) for offer in _ALL]
    assert life.enter(_FIRST).is_probe


def test_once_one_is_up_again_the_others_are_tried_anew() -> None:
    life = _all_down()
    life.now += 10.0
    life.book.hasten(_ALL, life.now)

    life.answers(_FIRST)

    assert [None, TroubleKind.HALF_OPEN] == [life.trouble(offer) for offer in _ALL]


def test_while_it_was_only_one_of_many_the_others_keep_to_their_time() -> None:
    life = _all_down()
    life.now += 29.5
    life.answers(_FIRST)

    assert [None, TroubleKind.OPEN] == [life.trouble(offer) for offer in _ALL]


def test_two_models_that_are_down_at_once_come_back_each_with_its_own_sellers() -> None:
    life = Life()
    large = [an_offer("acme", "large"), an_offer("bell", "large")]
    for offer in (*_ALL, *large):
        life.fails(offer, offer, offer)
    life.now += 10.0
    assert life.book.hasten(_ALL, life.now)
    assert life.book.hasten(large, life.now)

    tried = next(offer for offer in _ALL if life.trouble(offer) is TroubleKind.HALF_OPEN)
    life.answers(tried)

    assert TroubleKind.OPEN not in [life.trouble(offer) for offer in _ALL]


def test_names_that_callers_make_up_are_not_remembered_for_ever() -> None:
    life = Life()
    life.book = HealthBook(Limits(), chance=lambda: 0.0, most=2)
    made_up = [an_offer(f"seller-{number}") for number in range(8)]
    for offer in made_up:
        life.fails(offer, offer, offer)
        life.now += 10.0
        life.book.hasten([offer], life.now)

    assert len(vars(life.book)["_dark"]) < len(made_up)


def test_a_provider_that_is_left_alone_is_tried_sooner_with_its_offer() -> None:
    life = Life()
    for _ in range(3):
        life.fail(life.enter(_SECOND), is_providers=True)
    assert (State.OPEN, State.OPEN) == life.state(_SECOND)
    life.now += 5.0

    assert life.book.hasten([_SAME_HOUSE, _SECOND], life.now)
    assert TroubleKind.HALF_OPEN is life.trouble(_SAME_HOUSE)


def test_who_is_well_or_rests_is_none_to_be_tried_sooner() -> None:
    life = Life()
    life.rest(life.enter(_FIRST), 60.0)
    life.now += 30.0

    assert not life.book.hasten(_ALL, life.now)
