"""What is made of a provider's list of models: ids, prices, and all that can be wrong with either."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import PER_MTOK, Msat, Rate, UsdPerBtc
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.discovery.feeds import ModelListSource
from satisfice.ports import Answer, Endpoint, Sending
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedTransport, instant
from tests.build import a_price

_ENDPOINT = Endpoint(provider="acme", url="https://acme.example/v1")
_USD_PER_BTC = UsdPerBtc(100_000)
"""A dollar is a million msat."""


class _Lists:
    """A transport that answers every request by one script."""

    def __init__(self, script: Script) -> None:
        self._clock = ManualClock()
        self._played = ScriptedTransport({"acme": script}, self._clock, sleep=instant(self._clock))
        self.asked: list[Sending] = []

    @property
    def endings(self) -> list[Ending]:
        return [answer.ending for answer in self._played.answers]

    async def open(self, endpoint: Endpoint, sending: Sending) -> Answer:
        self.asked.append(sending)
        # A scripted provider has a list of models of its own; the script is what it does with a POST.
        return await self._played.open(endpoint, msgspec.structs.replace(sending, method="POST"))

    async def aclose(self) -> None:
        await self._played.aclose()


async def _fetch(
    body: str | bytes, *, is_free: bool = False, usd_per_btc: UsdPerBtc | None = _USD_PER_BTC
) -> tuple[Offer, ...]:
    raw = body if isinstance(body, bytes) else body.encode()
    source = ModelListSource(_Lists(Script().head(200).raw(raw)), _ENDPOINT, is_free=is_free, usd_per_btc=usd_per_btc)
    return await source.fetch()


async def _price(pricing: object, *, usd_per_btc: UsdPerBtc | None = _USD_PER_BTC) -> Price | None:
    (offer,) = await _fetch(msgspec.json.encode({"data": [{"id": "m", "pricing": pricing}]}), usd_per_btc=usd_per_btc)
    return offer.price


async def test_each_model_of_the_list_is_an_offer() -> None:
    lists = _Lists(
        Script().head(200).body('{"object":"list","data":[{"id":"gpt-4o","object":"model"},{"id":"a/b:c"}]}')
    )

    offers = await ModelListSource(lists, _ENDPOINT).fetch()

    assert ["gpt-4o@acme", "a/b:c@acme"] == [offer.id for offer in offers]
    assert ["gpt-4o", "a/b:c"] == [offer.upstream_model for offer in offers]
    assert [None, None] == [offer.price for offer in offers]
    assert [Sending("/models", b"", method="GET")] == lists.asked
    assert [Ending.ENDED] == lists.endings


def test_a_source_is_called_as_its_provider() -> None:
    assert "acme" == ModelListSource(_Lists(Script()), _ENDPOINT).name


async def test_the_models_of_a_server_of_ones_own_cost_nothing() -> None:
    (offer,) = await _fetch('{"data":[{"id":"m","pricing":{"prompt":"1","completion":"1"}}]}', is_free=True)

    assert a_price(0, 0) == offer.price


async def test_prices_in_dollars_a_token_become_rates() -> None:
    """$2.50 and $10 per million tokens, as OpenRouter lists them."""
    price = await _price(
        {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000125", "request": "0.001"}
    )

    assert (
        Price(input=Rate(2_500_000), output=Rate(10_000_000), cache_read=Rate(1_250_000), base_fee=Msat(1_000)) == price
    )


@pytest.mark.parametrize(
    "pricing",
    [
        None,
        "free",
        [],
        {},
        {"prompt": "0.1"},
        {"completion": "0.1"},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "cheap", "completion": "0.1"},
        {"prompt": "NaN", "completion": "0.1"},
        {"prompt": "Infinity", "completion": "0.1"},
        {"prompt": "1.01", "completion": "0.1"},
        {"prompt": "1e999999", "completion": "0.1"},
        {"prompt": 0.1, "completion": "0.1"},
        {"prompt": "0.1", "completion": "0.1", "request": "?"},
    ],
    ids=str,
)
async def test_a_price_that_cannot_be_read_is_unknown_and_the_offer_stands(pricing: object) -> None:
    assert None is await _price(pricing)


async def test_without_an_exchange_rate_only_nothing_has_a_price() -> None:
    some, nothing = {"prompt": "0.1", "completion": "0"}, {"prompt": "0", "completion": "0.0"}

    assert None is await _price(some, usd_per_btc=None)
    assert a_price(0, 0) == await _price(nothing, usd_per_btc=None)


async def test_a_cache_price_that_cannot_be_read_is_that_of_other_input() -> None:
    price = await _price({"prompt": "0.000001", "completion": "0.000001", "input_cache_read": "?"})

    assert price is not None
    assert None is price.cache_read


@given(st.decimals(min_value=Decimal("1e-15"), max_value=1, places=15))
async def test_a_price_is_never_rounded_down(usd: Decimal) -> None:
    """Rounding is of something we owe."""
    price = await _price({"prompt": format(usd, "f"), "completion": "0", "request": format(usd, "f")})

    assert price is not None
    assert usd * 1_000_000 * PER_MTOK <= price.input
    assert usd * 1_000_000 <= price.base_fee


async def test_nobody_sells_a_model_called_auto() -> None:
    """The name is ours: whoever listed it would get what is meant for the cheapest of all."""
    offers = await _fetch(msgspec.json.encode({"data": [{"id": "auto"}, {"id": "automatic"}]}))

    assert ["automatic"] == [offer.model for offer in offers]


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "modèle", "x" * 201, "a\x7f"], ids=repr)
async def test_an_id_that_fits_in_no_header_is_left_out(name: str) -> None:
    offers = await _fetch(msgspec.json.encode({"data": [{"id": name}, {"id": "x" * 200}]}))

    assert ["x" * 200] == [offer.model for offer in offers]


async def test_one_odd_price_spoils_no_other_offer() -> None:
    body = (
        b'{"data":[{"id":"odd","pricing":{"prompt":"\xff","completion":"0"}},'
        b'{"id":"good","pricing":{"prompt":"0","completion":"0"}}]}'
    )

    assert [("odd", None), ("good", a_price(0, 0))] == [(offer.model, offer.price) for offer in await _fetch(body)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"data":{}}',
        b'{"data":[{}]}',
        b'{"data":[{"id":1}]}',
        b'{"data":[{"id":"\xff"}]}',
        b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
async def test_what_is_no_list_of_models_is_news(body: bytes) -> None:
    with pytest.raises(Broken, match="was not answered with a list of models") as news:
        await _fetch(body)

    assert Break.MALFORMED is news.value.kind


async def test_an_error_is_news_with_its_status() -> None:
    lists = _Lists(Script().head(401).body('{"error":"no key"}'))

    with pytest.raises(Broken, match="status 401"):
        await ModelListSource(lists, _ENDPOINT).fetch()

    assert [Ending.ENDED] == lists.endings


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script().refuse(), Break.REFUSED),
        (Script().stall(), Break.FIRST_BYTE_TIMEOUT),
        (Script().head(200).body("{").stall(), Break.IDLE_TIMEOUT),
        (Script().head(200).body("{").cut(), Break.CUT),
        (Script().head(200).raw(b" " * 65_536).repeat(256), Break.TOO_LARGE),
    ],
    ids=lambda value: value.name if isinstance(value, Break) else "",
)
async def test_no_answer_is_news(script: Script, kind: Break) -> None:
    with pytest.raises(Broken) as news:
        await ModelListSource(_Lists(script), _ENDPOINT).fetch()

    assert kind is news.value.kind
