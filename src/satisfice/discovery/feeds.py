"""Offers and prices from JSON lists over HTTP: a provider's own model list."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final

import msgspec

from satisfice.catalog.model import AUTO, ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate, UsdPerBtc, rate_from_usd
from satisfice.core.errors import Break, Broken
from satisfice.ports import Endpoint, Sending, Transport

__all__ = ["ModelListSource"]

_MAX_LIST: Final = 16 << 20
_MICRO_USD_PER_MTOK: Final = 10**12  # a dollar per token in millionths of a dollar per million tokens
_DEAREST: Final = Decimal(1)  # a dollar a token: what is above is no price but a mistake
_PRINTABLE: Final = re.compile(r"[!-~]{1,200}")


class _Pricing(msgspec.Struct):
    """Dollars per token, as text: OpenRouter's shape.

    https://openrouter.ai/docs/api-reference/list-available-models
    """

    prompt: str | None = None
    completion: str | None = None
    input_cache_read: str | None = None
    request: str | None = None


class _Model(msgspec.Struct):
    id: str
    pricing: msgspec.Raw = msgspec.Raw(b"null")


class _List(msgspec.Struct):
    data: list[_Model]


_list = msgspec.json.Decoder(_List).decode
_pricing = msgspec.json.Decoder(_Pricing | None).decode


class ModelListSource:
    """What `GET /models` of a provider lists."""

    def __init__(
        self, transport: Transport, endpoint: Endpoint, *, is_free: bool = False, usd_per_btc: UsdPerBtc | None = None
    ) -> None:
        """`is_free`: its models cost nothing, by the operator's word; `usd_per_btc`: to read prices in dollars by."""
        self._transport = transport
        self._endpoint = endpoint
        self._is_free = is_free
        self._usd_per_btc = usd_per_btc

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._endpoint.provider

    async def fetch(self) -> tuple[Offer, ...]:
        """All the offers of now; `Broken` if there is no answer or none that is a list of models."""
        answer = await self._transport.open(self._endpoint, Sending("/models", b"", method="GET"))
        answer.flow()
        body = await answer.read(_MAX_LIST)
        answer.close()
        if answer.status != 200:
            raise Broken(Break.MALFORMED, f"GET /models was answered with status {answer.status}")
        try:
            models = _list(body).data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken(Break.MALFORMED, "GET /models was not answered with a list of models") from None
        return tuple(self._offer(model) for model in models if _is_name(model.id))

    def _offer(self, model: _Model) -> Offer:
        return Offer(
            provider=self._endpoint.provider,
            model=ModelId(model.id),
            upstream_model=model.id,
            price=Price(input=Rate(0), output=Rate(0)) if self._is_free else self._price(model.pricing),
        )

    def _price(self, raw: msgspec.Raw) -> Price | None:
        """The listed price; None unless input and output can both be read. A negative one means: it depends."""
        try:
            listed = _pricing(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if listed is None:
            return None
        prompt, completion = self._rate(listed.prompt), self._rate(listed.completion)
        fee = self._rate(listed.request or "0")
        if prompt is None or completion is None or fee is None:
            return None
        # A fee is listed in dollars per call, so as a rate it is for a million calls.
        return Price(
            input=prompt,
            output=completion,
            cache_read=self._rate(listed.input_cache_read),
            base_fee=Msat(-(-fee // 1_000_000)),
        )

    def _rate(self, usd_per_token: str | None) -> Rate | None:
        if usd_per_token is None:
            return None
        try:
            usd = Decimal(usd_per_token)
        except InvalidOperation:
            return None
        if not usd.is_finite() or not 0 <= usd <= _DEAREST:
            return None
        if usd == 0:
            return Rate(0)  # nothing is nothing at any rate
        if self._usd_per_btc is None:
            return None
        micro_usd = (usd * _MICRO_USD_PER_MTOK).to_integral_value(ROUND_CEILING)
        return rate_from_usd(int(micro_usd), self._usd_per_btc)


def _is_name(model: str) -> bool:
    """An id goes into header fields and onto screens; and what the gateway gives a meaning of its own is no model."""
    return model != AUTO and _PRINTABLE.fullmatch(model) is not None
