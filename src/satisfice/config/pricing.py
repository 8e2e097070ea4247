"""What models cost, in millisatoshi, whichever unit the file has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from satisfice.catalog.offers import Price
from satisfice.config.problems import Code
from satisfice.config.reading import Entry, Reader
from satisfice.config.schema import ModelTable, RatesTable
from satisfice.config.spans import KeyPath
from satisfice.core.amounts import Msat, Rate, rate_from_usd

__all__ = ["Pricing"]


class Pricing:
    """Reads the prices of models, with the exchange rate of their file."""

    def __init__(self, rates: Entry[RatesTable], reader: Reader) -> None:
        """Take what the file says of a bitcoin's price."""
        self._usd_per_btc = rates.value.usd_per_btc if rates.value else None
        self._rate_is_missed = "usd_per_btc" not in rates.raw
        self._reader = reader

    def price(self, model: Entry[ModelTable], *, is_free: bool) -> Price | None:
        """The price of a model of a provider that is free or not; None if it isn't known, or isn't right."""
        given = [name for name in model.raw if name in _PRICES]
        if is_free or model.raw.get("free") is True:
            for name in given[:1]:
                message = f"`{name}` contradicts `free = true`{' of the provider' if is_free else ''}"
                self._note(Code.CONFLICT, (*model.path, name), message=message, hint="drop one of the two")
            return _FREE
        if not given:
            self._warn(model)
        is_whole = bool(given) and self._is_whole(model, given)
        return self._read(model.value) if is_whole and model.value else None

    def _warn(self, model: Entry[ModelTable]) -> None:
        """Unless the model has no name yet, which is told already."""
        if model.value:
            message = "this model has no price, so it is used only when no offer with a price can be"
            hint = "add input_usd_per_mtok and output_usd_per_mtok, or free = true"
            self._reader.note(Code.UNPRICED_MODEL, (*model.path, "id"), message=message, hint=hint)

    def _is_whole(self, model: Entry[ModelTable], given: Sequence[str]) -> bool:
        """Are all prices in one unit, and are those there that must be?"""
        in_usd = [name for name in given if name in _USD]
        in_msat = [name for name in given if name in _MSAT]
        if in_usd and in_msat:
            other = max(in_usd[0], in_msat[0], key=given.index)
            message = f"`{other}` is in another unit than the one before"
            hint = "give all prices of a model in dollars, or all in millisatoshi"
            self._note(Code.MIXED_UNITS, (*model.path, other), message=message, hint=hint)
            return False
        for needed in (_USD if in_usd else _MSAT)[:2]:
            if needed not in given:
                message = f"`{given[0]}` stands without `{needed}`"
                hint = f"add {needed}; 0 if it costs nothing"
                self._note(Code.INCOMPLETE_PRICE, (*model.path, given[0]), message=message, hint=hint)
                return False
        if in_usd and self._rate_is_missed:
            message = f"`{in_usd[0]}` is in dollars, and nothing says what a bitcoin costs"
            hint = "add usd_per_btc under [rates], or give prices in msat"
            self._note(Code.MISSING_RATE, (*model.path, in_usd[0]), message=message, hint=hint)
            self._rate_is_missed = False  # once is enough for all prices in dollars
        return True

    def _read(self, model: ModelTable) -> Price | None:
        price_in = self._rate(model.input_msat_per_mtok, model.input_usd_per_mtok)
        price_out = self._rate(model.output_msat_per_mtok, model.output_usd_per_mtok)
        if price_in is None or price_out is None:
            return None
        cached = self._rate(model.cache_read_msat_per_mtok, model.cache_read_usd_per_mtok)
        return Price(input=price_in, output=price_out, cache_read=cached, base_fee=Msat(model.base_fee_msat))

    def _rate(self, msat: int | None, micro_usd: int | None) -> Rate | None:
        if msat is not None:
            return Rate(msat)
        return rate_from_usd(micro_usd, self._usd_per_btc) if micro_usd is not None and self._usd_per_btc else None

    def _note(self, code: Code, path: KeyPath, *, message: str, hint: str) -> None:
        self._reader.note(code, path, message=message, hint=hint, at_key=True)


_FREE: Final = Price(input=Rate(0), output=Rate(0))
_MSAT: Final = ("input_msat_per_mtok", "output_msat_per_mtok", "cache_read_msat_per_mtok")
_USD: Final = ("input_usd_per_mtok", "output_usd_per_mtok", "cache_read_usd_per_mtok")
_PRICES: Final = (*_MSAT, *_USD, "base_fee_msat")
