"""How the gateway stands: by the clock, without a call, and in few words however large the catalog is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import msgspec
import pytest

from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import ManualClock
from satisfice.engine.gateway import Gateway
from satisfice.health.breaker import State
from satisfice.health.page import Standing
from satisfice.health.stats import Figures
from satisfice.server.status import Dates, sections, standing_as_json, standings_as_json, status_of
from tests.build import an_offer
from tests.server.market import a_gateway, fail, rest, succeed

_ACME, _ACME_TOO, _BELL = an_offer("acme", "small"), an_offer("acme", "large"), an_offer("bell", "small")
_LONGER_THAN_OPEN = 40.0


def test_without_offers_nothing_is_the_matter() -> None:
    """That nothing can be sold is for readiness to tell."""
    assert "ok" == status_of(a_gateway())


def test_what_has_never_been_called_is_well() -> None:
    assert "ok" == status_of(a_gateway([_ACME, _BELL]))


def test_one_offer_in_trouble_is_a_degradation() -> None:
    gateway = a_gateway([_ACME, _BELL])

    fail(gateway, _ACME)

    assert "degraded" == status_of(gateway)


def test_failures_below_the_threshold_are_none() -> None:
    gateway = a_gateway([_ACME])

    fail(gateway, _ACME, times=2)

    assert "ok" == status_of(gateway)


def test_a_provider_in_trouble_is_a_degradation_whichever_of_its_offers_failed() -> None:
    gateway = a_gateway([_ACME, _ACME_TOO, _BELL])

    for offer in (_ACME, _ACME_TOO, _ACME):
        fail(gateway, offer, times=1, is_providers=True)

    assert "degraded" == status_of(gateway)
    assert {"acme": "open", "bell": "closed"} == _states(gateway)


def test_only_when_every_offer_is_open_it_is_unhealthy() -> None:
    gateway = a_gateway([_ACME, _ACME_TOO, _BELL])

    told = []
    for offer in (_ACME, _ACME_TOO, _BELL):
        fail(gateway, offer)
        told.append(status_of(gateway))

    assert ["degraded", "degraded", "unhealthy"] == told


def test_an_open_provider_counts_for_all_its_offers() -> None:
    """Most of them have never been called, and none can be."""
    gateway = a_gateway([*(an_offer("acme", f"model-{number}") for number in range(9)), _BELL])

    fail(gateway, gateway.catalog.offers[0], is_providers=True)
    before = status_of(gateway)
    fail(gateway, _BELL)

    assert ["degraded", "unhealthy"] == [before, status_of(gateway)]


def test_time_alone_makes_it_better() -> None:
    """A balancer that sends nothing while the answer is 503 would never send the call that finds out (B-14)."""
    clock = ManualClock()
    gateway = a_gateway([_ACME, _BELL], clock)
    fail(gateway, _ACME)
    fail(gateway, _BELL)
    assert "unhealthy" == status_of(gateway)

    clock.advance(_LONGER_THAN_OPEN)

    assert "degraded" == status_of(gateway)
    assert {"half_open"} == {each["state"] for each in _offers(gateway).values()}


def test_it_is_well_again_once_a_call_has_shown_it() -> None:
    clock = ManualClock()
    gateway = a_gateway([_ACME], clock)
    fail(gateway, _ACME)
    clock.advance(_LONGER_THAN_OPEN)

    succeed(gateway, _ACME)

    assert "ok" == status_of(gateway)


def test_who_rests_is_not_ill() -> None:
    gateway = a_gateway([_ACME])

    rest(gateway, _ACME, seconds=20.0)

    assert "ok" == status_of(gateway)
    assert ("closed", "2025-11-24T16:00:20.000Z") == _state_and(gateway, _ACME.id, "resting_until")


def test_all_that_is_known_of_an_offer_is_told() -> None:
    gateway = a_gateway([_ACME])
    succeed(gateway, _ACME)
    fail(gateway, _ACME)

    told = _offers(gateway)[_ACME.id]

    assert "2025-11-24T16:00:30.000Z" <= str(told.pop("next_probe")) <= "2025-11-24T16:00:37.500Z"
    assert {
        "state": "open",
        "failure_count": 3,
        "last_error": "status 500",
        "opened_at": "2025-11-24T16:00:00.000Z",
        "resting_until": None,
        "first_byte_seconds": 0.5,
        "tokens_per_second": 20.0,
        "failure_rate": 0.333,
    } == told


def test_providers_are_told_of_even_if_nothing_is_known_of_them() -> None:
    gateway = a_gateway([_ACME, _ACME_TOO, _BELL])

    assert {
        "acme": {
            "state": "closed",
            "failure_count": 0,
            "last_error": None,
            "opened_at": None,
            "next_probe": None,
            "resting_until": None,
            "offers": {},
            "other_offers": 2,
        },
        "bell": {
            "state": "closed",
            "failure_count": 0,
            "last_error": None,
            "opened_at": None,
            "next_probe": None,
            "resting_until": None,
            "offers": {},
            "other_offers": 1,
        },
    } == standings_as_json(gateway)


@pytest.mark.parametrize("happen", [fail, succeed, rest])
def test_of_a_large_catalog_only_what_something_is_known_of_is_listed(
    happen: Callable[[Gateway, Offer], None],
) -> None:
    gateway = a_gateway([an_offer(f"provider-{number % 5}", f"model-{number}") for number in range(50_000)])
    offer = gateway.catalog.find("model-7")[0]

    happen(gateway, offer)
    told = standings_as_json(gateway)

    assert [offer.id] == list(_offers(gateway))
    assert {f"provider-{number}": 10_000 - (number == 2) for number in range(5)} == {
        name: provider["other_offers"] for name, provider in _providers(gateway).items()
    }
    assert 5_000 > len(msgspec.json.encode(told))


def test_of_too_many_those_in_trouble_are_listed() -> None:
    offers = [an_offer("acme", f"model-{number:03}") for number in range(600)]
    gateway = a_gateway(offers)
    for offer in offers:
        succeed(gateway, offer)

    fail(gateway, offers[-1])

    told = _offers(gateway)
    assert (500, offers[-1].id) == (len(told), next(iter(told)))
    assert 100 == _providers(gateway)["acme"]["other_offers"]


def test_names_that_callers_made_up_are_offers_too() -> None:
    """Where a provider takes any model, no catalog lists what is asked for."""
    gateway = a_gateway([an_offer("acme", "*"), _BELL])
    made_up = gateway.catalog.find("unheard-of")[0]

    fail(gateway, made_up)

    assert "degraded" == status_of(gateway)
    assert ("open", "status 500") == _state_and(gateway, "unheard-of@acme", "last_error")
    assert 1 == _providers(gateway)["acme"]["other_offers"]


def test_what_is_no_longer_sold_is_not_told_of() -> None:
    gateway = a_gateway([_BELL])

    fail(gateway, _ACME, is_providers=True)

    assert "ok" == status_of(gateway)
    assert ["bell"] == list(standings_as_json(gateway))


def test_dates_are_told_in_utc() -> None:
    dates = Dates.by(ManualClock(now=5.0, unix_ms=1_764_000_000_250))

    assert (None, "2025-11-24T16:00:00.250Z", "2025-11-24T15:59:59.750Z") == (
        dates.at(None),
        dates.at(5.0),
        dates.at(4.5),
    )
    assert (None, "1970-01-01T00:00:00.000Z") == (dates.at_ms(None), dates.at_ms(0))


def test_what_is_not_known_of_an_offer_is_null() -> None:
    told = standing_as_json(Standing("a@b", State.CLOSED, figures=Figures(None, None, 0.0)), Dates(0.0, 0))

    assert (None, None, 0.0) == (told["first_byte_seconds"], told["tokens_per_second"], told["failure_rate"])


@pytest.mark.parametrize("sizes", [{}, {"acme": 1}, {"acme": 3, "bell": 1, "cord": 40}])
def test_a_catalog_is_cut_into_what_each_provider_has(sizes: Mapping[str, int]) -> None:
    catalog = Catalog(an_offer(name, f"model-{number}") for name, size in sizes.items() for number in range(size))

    found = sections(catalog)

    assert sizes == {section.provider: len(section.offers) for section in found}
    assert catalog.offers == tuple(offer for section in found for offer in section.offers)


def test_a_provider_of_whose_offers_none_can_be_had_is_not_told_to_be_well() -> None:
    """Its own breaker is closed, for one broken model says nothing of a provider; but it has no other."""
    clock = ManualClock()
    gateway = a_gateway([an_offer("acme"), an_offer("bell"), an_offer("bell", "large")], clock)
    for provider in ("acme", "bell"):
        fail(gateway, an_offer(provider), times=3)

    assert {"acme": "open", "bell": "closed"} == _states(gateway)
    clock.advance(60.0)
    assert {"acme": "half_open", "bell": "closed"} == _states(gateway)


def _providers(gateway: Gateway) -> dict[str, dict[str, object]]:
    return cast("dict[str, dict[str, object]]", standings_as_json(gateway))


def _states(gateway: Gateway) -> dict[str, object]:
    return {name: provider["state"] for name, provider in _providers(gateway).items()}


def _offers(gateway: Gateway) -> dict[str, dict[str, object]]:
    listed = (cast("dict[str, dict[str, object]]", each["offers"]) for each in _providers(gateway).values())
    return {name: offer for offers in listed for name, offer in offers.items()}


def _state_and(gateway: Gateway, offer: str, key: str) -> tuple[object, object]:
    told = _offers(gateway)[offer]
    return told["state"], told[key]
