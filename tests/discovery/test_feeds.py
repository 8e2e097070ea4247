"""Asking a provider for its list of models."""

from __future__ import annotations

import pytest

from satisfice.catalog.listing import Listing, Refused
from satisfice.catalog.offers import Traits
from satisfice.core.amounts import UsdPerBtc
from satisfice.core.errors import Broken
from satisfice.discovery.feeds import ModelListSource
from satisfice.ports import Endpoint, OfferSource, Sending
from satisfice.transport.script import Script
from tests.build import a_price
from tests.discovery.answers import Answers, an_answer

_ENDPOINT = Endpoint(provider="acme", url="https://acme.example/v1")
_PRICED = '{"data":[{"id":"m","pricing":{"prompt":"0.000001","completion":"0.000002"}}]}'


async def test_each_model_of_the_list_is_an_offer() -> None:
    answers = Answers(an_answer('{"object":"list","data":[{"id":"gpt-4o","object":"model"},{"id":"a/b:c"}]}'))

    listing = await ModelListSource(answers, _ENDPOINT).fetch()

    assert ["gpt-4o@acme", "a/b:c@acme"] == [offer.id for offer in listing.offers]
    assert ["gpt-4o", "a/b:c"] == [offer.upstream_model for offer in listing.offers]
    assert [Refused("gpt-4o", "has no price"), Refused("a/b:c", "has no price")] == list(listing.refused)
    assert [(_ENDPOINT, Sending("/models", b"", method="GET"))] == answers.asked


async def test_that_it_has_none_is_an_answer() -> None:
    assert Listing() == await ModelListSource(Answers(an_answer('{"data":[]}')), _ENDPOINT).fetch()


@pytest.mark.parametrize("script", [an_answer("{}"), Script().refuse(), Script().head(404).body('{"data":[]}')])
async def test_that_it_does_not_say_is_news(script: Script) -> None:
    with pytest.raises(Broken):
        await ModelListSource(Answers(script), _ENDPOINT).fetch()


async def test_prices_are_read_as_the_operator_has_it() -> None:
    answers, traits = Answers(an_answer(_PRICED)), Traits(region="eu")

    priced = await ModelListSource(answers, _ENDPOINT, usd_per_btc=UsdPerBtc(100_000), traits=traits).fetch()
    free = await ModelListSource(answers, _ENDPOINT, is_free=True).fetch()
    unknown = await ModelListSource(answers, _ENDPOINT).fetch()

    offers = [listing.offers[0] for listing in (priced, free, unknown)]
    assert [a_price(1_000_000, 2_000_000), a_price(0, 0), None] == [offer.price for offer in offers]
    assert [traits, Traits(), Traits()] == [offer.traits for offer in offers]
    assert [True, False, True] == [listing.has_own_prices for listing in (priced, free, unknown)]


def test_a_source_is_called_as_its_provider_and_looked_at_in_its_own_time() -> None:
    source: OfferSource = ModelListSource(Answers(Script()), _ENDPOINT, period=7.0)

    assert ("acme", 7.0) == (source.name, source.period)
