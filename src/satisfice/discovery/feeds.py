"""Offers and prices from JSON lists over HTTP: a provider's own model list."""

from __future__ import annotations

from typing import Final

from satisfice.catalog.listing import Listing
from satisfice.catalog.offers import Traits
from satisfice.core.amounts import UsdPerBtc
from satisfice.discovery.listing import Terms, read_listing
from satisfice.discovery.lists import fetch_list
from satisfice.discovery.pricing import usd_per_token
from satisfice.ports import Endpoint, Transport

__all__ = ["ModelListSource"]

_UNKNOWN: Final = Traits()


class ModelListSource:
    """What `GET /models` of a provider lists. Fills the port `OfferSource`."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        is_free: bool = False,
        usd_per_btc: UsdPerBtc | None = None,
        traits: Traits = _UNKNOWN,
        period: float = 300.0,
    ) -> None:
        """`is_free`: its models cost nothing, by the operator's word; `usd_per_btc`: to read prices in dollars by."""
        self._transport = transport
        self._endpoint = endpoint
        self._terms = Terms(endpoint.provider, usd_per_token(usd_per_btc), is_free, traits)
        self._period = period

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._endpoint.provider

    @property
    def period(self) -> float:
        """Seconds from one look to the next."""
        return self._period

    async def fetch(self) -> Listing:
        """All the offers of now; `Broken` if there is no answer or none that is a list of models."""
        found = await fetch_list(self._transport, self._endpoint, path="/models", member="data", of="models")
        return read_listing(found.elements, self._terms)
