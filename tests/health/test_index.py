"""Pages are opened, marked, torn out and saved."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from satisfice.catalog.names import ANY
from satisfice.catalog.offers import Offer, OfferId
from satisfice.health.breaker import Limits
from satisfice.health.index import Index, Snapshot
from satisfice.health.page import OfferPage, Page
from tests.build import an_offer

_LIMITS = Limits(failures=2, open_for=30.0, open_max=60.0)


def _index(limits: Limits = _LIMITS, *, special: Mapping[str, Limits] | None = None, most: int = 100) -> Index:
    return Index(limits, special or {}, chance=lambda: 0.0, most=most)


def _page(index: Index, offer: Offer) -> OfferPage:
    return index.offer(offer.id, offer.provider, now=0.0)


def _open(index: Index, page: Page, *, times: int = 2) -> None:
    for _ in range(times):
        page.breaker.fail(page.breaker.admit(0.0, 9.0), 0.0, error="cut")
    index.mark(page, 0.0)


def test_an_offer_has_one_page_and_its_provider_another() -> None:
    index = _index()
    page = _page(index, an_offer("acme", "small"))

    assert page is _page(index, an_offer("acme", "small"))
    assert index.provider("acme") is page.provider
    assert page.provider is _page(index, an_offer("acme", "large")).provider
    assert (["small@acme", "large@acme"], ["acme"]) == (list(index.offers), list(index.providers))


def test_a_provider_and_its_offers_may_have_limits_of_their_own() -> None:
    index = _index(special={"acme": Limits(failures=4)})
    pages: list[Page] = [_page(index, an_offer("acme")), index.provider("acme")]

    for page in pages:
        _open(index, page, times=3)
        assert page.is_well(0.0)
        _open(index, page, times=1)
        assert not page.is_well(0.0)


def test_one_failure_never_takes_all_of_a_provider_s_offers_away() -> None:
    index = _index(Limits(failures=1))
    page = _page(index, an_offer())
    for each in (page, page.provider):
        _open(index, each, times=1)

    assert {"small@acme"} == index.troubled


def test_marks_come_and_go_with_trouble() -> None:
    index = _index()
    page = _page(index, an_offer())

    _open(index, page)
    assert {"small@acme"} == index.troubled

    page.breaker.succeed(page.breaker.admit(30.0, 9.0), 30.0)
    index.mark(page, 30.0)
    assert set() == index.troubled


def test_rates_are_noted_as_long_as_they_are_worth_a_word() -> None:
    index = _index()
    page = _page(index, an_offer())
    page.stats.note_failure(0.0)
    index.note_rate(page, 0.0)
    assert {"small@acme": pytest.approx(1 / 6)} == index.failing

    index.refresh(300.0)
    assert {"small@acme": pytest.approx(0.5 / 5.5)} == index.failing

    index.refresh(3_600.0)
    assert {} == index.failing
    index.note_rate(page, 3_600.0)
    assert {} == index.failing


def test_only_what_is_in_the_catalog_is_remembered() -> None:
    index = _index()
    kept, gone, strange = an_offer("acme", "small"), an_offer("acme", "large"), an_offer("other", "small")
    for offer in (kept, gone, strange):
        page = _page(index, offer)
        _open(index, page)
        _open(index, page.provider)
        page.stats.note_failure(0.0)
        index.note_rate(page, 0.0)

    index.forget([kept])

    assert (["small@acme"], ["acme"]) == (list(index.offers), list(index.providers))
    assert ({"small@acme", "acme"}, {"small@acme"}) == (index.troubled, set(index.failing))


def test_an_offer_of_any_model_keeps_those_that_callers_named() -> None:
    """They are in no catalog, for nobody knows their names before."""
    index = _index()
    _page(index, an_offer("acme", "whatever"))
    _page(index, an_offer("other", "whatever"))

    index.forget([an_offer("acme", ANY), an_offer("other", "small")])

    assert ["whatever@acme"] == list(index.offers)


def test_what_is_written_on_a_page_that_was_torn_out_marks_no_other() -> None:
    """An attempt may still be under way when its offer goes, and the offer may come back before it ends."""
    index = _index()
    old = _page(index, an_offer())
    index.forget([])
    new = _page(index, an_offer())
    assert new is not old

    _open(index, old)
    old.stats.note_failure(0.0)
    index.note_rate(old, 0.0)

    assert (set(), {}) == (index.troubled, index.failing)


def test_of_too_many_offers_those_that_are_well_are_forgotten() -> None:
    index = _index(most=3)
    _page(index, an_offer(model="a"))
    _open(index, _page(index, an_offer(model="b")))
    _page(index, an_offer(model="c"))

    _page(index, an_offer(model="d"))

    assert ["b@acme", "d@acme"] == list(index.offers)
    assert {"b@acme"} == index.troubled


def test_of_too_many_offers_in_trouble_all_are_forgotten() -> None:
    index = _index(most=3)
    for model in "abc":
        _open(index, _page(index, an_offer(model=model)))

    _page(index, an_offer(model="d"))

    assert (["d@acme"], set()) == (list(index.offers), index.troubled)


def _saved() -> Snapshot:
    """An offer and its provider that opened at 100 s, as they were ten seconds later."""
    index = _index()
    page = _page(index, an_offer())
    each: Page
    for each in (page, page.provider):
        for _ in range(2):
            each.breaker.fail(each.breaker.admit(100.0, 9.0), 100.0, error="cut")
    page.stats.note_failure(100.0)
    _page(index, an_offer("other", "large"))
    return index.save(110.0, 1_764_000_000_000)


@pytest.mark.parametrize(
    ("away", "probe_at"),
    [
        pytest.param(0, 25.0, id="at once"),
        pytest.param(15_500, 9.5, id="later"),
        pytest.param(-86_400_000, 25.0, id="the clock has gone back"),
    ],
)
def test_it_goes_on_after_a_restart(away: int, probe_at: float) -> None:
    index = _index()

    index.restore(_saved(), 5.0, unix_ms=1_764_000_000_000 + away)

    page = index.offers[OfferId("small@acme")]
    assert (probe_at, probe_at) == (page.breaker.probe_at, page.provider.breaker.probe_at)
    assert {"small@acme", "acme"} == index.troubled
    assert {"small@acme"} == set(index.failing)
    assert {"small@acme", "large@other"} == set(index.offers)


def test_a_snapshot_can_be_written_as_json_and_read_again() -> None:
    saved = _saved()

    assert saved == msgspec.json.decode(msgspec.json.encode(saved), type=Snapshot, strict=True)
