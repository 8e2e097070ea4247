"""What is shown and kept of one offer or provider."""

from __future__ import annotations

from satisfice.catalog.offers import OfferId
from satisfice.health.breaker import Breaker, Limits, State
from satisfice.health.page import OfferPage, ProviderPage, Standing
from satisfice.health.stats import Figures

_SMALL = OfferId("small@acme")


def _breaker() -> Breaker:
    return Breaker(Limits(failures=1, open_for=30.0), chance=lambda: 0.0)


def _provider() -> ProviderPage:
    return ProviderPage("acme", _breaker())


def _offer() -> OfferPage:
    return OfferPage(_SMALL, _breaker(), provider=_provider())


def test_nothing_is_the_matter_to_begin_with() -> None:
    page = _provider()

    assert page.is_well(0.0)
    assert Standing("acme") == page.standing(0.0)
    assert ("provider", "offer") == (page.scope, _offer().scope)


def test_what_rests_is_not_well_until_it_is_over() -> None:
    page = _provider()
    page.rest.begin(0.0, begun=0.0, seconds=5.0, error="status 429")

    assert [False, True] == [page.is_well(4.9), page.is_well(5.0)]
    assert [5.0, None] == [page.standing(4.9).resting_until, page.standing(5.0).resting_until]


def test_what_is_not_closed_is_not_well_however_long_ago_it_was() -> None:
    page = _provider()
    page.breaker.fail(page.breaker.admit(1.0, 9.0), 1.0, error="cut")

    assert [False, False] == [page.is_well(1.0), page.is_well(1e6)]
    assert Standing("acme", State.OPEN, 1, "cut", 1.0, 31.0) == page.standing(2.0)
    assert State.HALF_OPEN is page.standing(31.0).state


def test_an_offer_shows_its_figures_too() -> None:
    page = _offer()
    page.stats.note_success(1.0, first_byte=0.5, seconds=2.5, tokens=100)

    assert Standing(_SMALL, figures=Figures(0.5, 50.0, 0.0)) == page.standing(1.0)


def test_all_of_it_can_be_kept() -> None:
    before = _offer()
    before.breaker.fail(before.breaker.admit(100.0, 9.0), 100.0, error="cut")
    before.rest.begin(101.0, begun=101.0, seconds=50.0, error="status 429")
    before.stats.note_failure(100.0)
    after = _offer()

    after.restore_offer(before.save_offer(110.0), 10.0)

    assert Standing(
        _SMALL, State.OPEN, 1, "cut", 0.0, 30.0, resting_until=51.0, figures=before.standing(110.0).figures
    ) == after.standing(10.0)


def test_what_is_kept_is_not_changed_by_what_comes_after() -> None:
    """It is written to disk while calls go on."""
    page = _offer()
    saved = page.save_offer(0.0)
    same = page.save_offer(0.0)

    page.rest.begin(1.0, begun=1.0, seconds=5.0, error="status 429")
    page.stats.note_failure(1.0)

    assert same == saved


def test_what_was_kept_can_be_read_twice() -> None:
    page = _offer()
    saved = page.save_offer(0.0)
    page.restore_offer(saved, 0.0)

    page.rest.begin(1.0, begun=1.0, seconds=5.0, error="status 429")
    page.stats.note_failure(1.0)

    assert _offer().save_offer(0.0) == saved
