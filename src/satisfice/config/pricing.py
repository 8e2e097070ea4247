"""What models cost, in millisatoshi, whichever unit the file has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from satisfice.catalog.offers import Price, Tier
from satisfice.config.models import TIERS, ModelTable, TierTable
from satisfice.config.problems import Code
from satisfice.config.reading import Entry, Reader
from satisfice.config.schema import RatesTable
from satisfice.config.spans import KeyPath
from satisfice.core.amounts import Msat, Rate, rate_from_usd

__all__ = ["Pricing"]


class Pricing:
    """Reads the prices of models, with the exchange rate of their file."""

    def __init__(self, rates: Entry[RatesTable], reader: Reader, *, allow_unpriced: bool) -> None:
        """Take what the file says of a bitcoin's price, and whether a model without a price is used."""
        self._usd_per_btc = rates.value.usd_per_btc if rates.value else None
        self._rate_is_missed = "usd_per_btc" not in rates.raw
        self._allow_unpriced = allow_unpriced
        self._reader = reader

    def price(self, model: Entry[ModelTable], *, is_free: bool) -> Price | None:
        """The price of a model of a provider that is free or not; None if it isn't known, or isn't right."""
        tiers = self._reader.many(TIERS, model)
        given = _given(model)
        if is_free or model.raw.get("free") is True:
            if contrary := next(iter(given), TIERS.key if tiers else ""):
                message = f"`{contrary}` contradicts `free = true`{' of the provider' if is_free else ''}"
                self._note(Code.CONFLICT, (*model.path, contrary), message=message, hint="drop one of the two")
            return _FREE
        if not given:
            self._warn(model, tiers)
            return None
        unit = _unit(given)
        is_whole = self._is_whole(model, given, unit=unit)
        self._check_rise(tiers)
        # Each is looked at, whatever is wrong with the ones before it.
        are_whole = [self._is_whole(tier, _given(tier), unit=unit) for tier in tiers]
        if not is_whole or not all(are_whole) or model.value is None:
            return None
        return self._read(model.value, [tier.value for tier in tiers if tier.value])

    def _warn(self, model: Entry[ModelTable], tiers: Sequence[Entry[TierTable]]) -> None:
        """That it has no price, unless it has no name either, which is told already."""
        if tiers:
            message = "this is another price for long prompts, and there is none for the others"
            hint = "add the model's own prices above it"
            self._reader.note(Code.TIERS, tiers[0].path, message=message, hint=hint)
        elif model.value and not self._allow_unpriced:
            message = "this model has no price, so it isn't used"
            hint = "add input_usd_per_mtok and output_usd_per_mtok, or free = true; or allow_unpriced under [routing]"
            self._reader.note(Code.UNPRICED_MODEL, (*model.path, "id"), message=message, hint=hint)

    def _is_whole(
        self, table: Entry[ModelTable] | Entry[TierTable], given: Sequence[str], *, unit: Sequence[str]
    ) -> bool:
        """Are all prices in this unit, and are those there that must be?"""
        other = next((name for name in given if name not in unit and name != _FEE), None)
        if other:
            message = f"`{other}` is in another unit than the one before"
            hint = "give all prices of a model in dollars, or all in millisatoshi"
            self._note(Code.MIXED_UNITS, (*table.path, other), message=message, hint=hint)
            return False
        first = next(iter(given), "above")
        for needed in unit[:2]:
            if needed not in given:
                message = f"`{first}` stands without `{needed}`"
                hint = f"add {needed}; 0 if it costs nothing"
                self._note(Code.INCOMPLETE_PRICE, (*table.path, first), message=message, hint=hint)
                return False
        if unit is _USD and self._rate_is_missed:
            first = next(name for name in given if name in unit)
            message = f"`{first}` is in dollars, and nothing says what a bitcoin costs"
            hint = "add usd_per_btc under [rates], or give prices in msat"
            self._note(Code.MISSING_RATE, (*table.path, first), message=message, hint=hint)
            self._rate_is_missed = False  # once is enough for all prices in dollars
        return True

    def _check_rise(self, tiers: Sequence[Entry[TierTable]]) -> None:
        """Each threshold is above the one before it; the first that isn't is told."""
        known = [(tier.path, tier.value.above) for tier in tiers if tier.value]
        for (before, low), (path, high) in pairwise(known):
            if high <= low:
                line = self._reader.line_of((*before, "above"))
                message = f"the tier before it begins above {low:,} already, in line {line}"
                hint = "put the tiers in rising order, each threshold once"
                self._reader.note(Code.TIERS, (*path, "above"), message=message, hint=hint)
                return

    def _read(self, model: ModelTable, tiers: Sequence[TierTable]) -> Price | None:
        """None if a rate isn't fit, which is told already."""
        rates = self._rates(model)
        if rates.input is None or rates.output is None:
            return None
        return Price(
            input=rates.input,
            output=rates.output,
            cache_read=rates.cache_read,
            cache_write=rates.cache_write,
            base_fee=Msat(model.base_fee_msat),
            tiers=tuple(tier for each in tiers if (tier := self._tier(each))),
        )

    def _tier(self, tier: TierTable) -> Tier | None:
        rates = self._rates(tier)
        if rates.input is None or rates.output is None:
            return None
        return Tier(
            above=tier.above,
            input=rates.input,
            output=rates.output,
            cache_read=rates.cache_read,
            cache_write=rates.cache_write,
        )

    def _rates(self, table: ModelTable | TierTable) -> _Rates:
        return _Rates(
            self._rate(table.input_msat_per_mtok, table.input_usd_per_mtok),
            self._rate(table.output_msat_per_mtok, table.output_usd_per_mtok),
            self._rate(table.cache_read_msat_per_mtok, table.cache_read_usd_per_mtok),
            self._rate(table.cache_write_msat_per_mtok, table.cache_write_usd_per_mtok),
        )

    def _rate(self, msat: int | None, micro_usd: int | None) -> Rate | None:
        if msat is not None:
            return Rate(msat)
        return rate_from_usd(micro_usd, self._usd_per_btc) if micro_usd is not None and self._usd_per_btc else None

    def _note(self, code: Code, path: KeyPath, *, message: str, hint: str) -> None:
        self._reader.note(code, path, message=message, hint=hint, at_key=True)


class _Rates(NamedTuple):
    """Those that are given and fit."""

    input: Rate | None
    output: Rate | None
    cache_read: Rate | None
    cache_write: Rate | None


_FREE: Final = Price(input=Rate(0), output=Rate(0))
_FEE: Final = "base_fee_msat"
_MSAT: Final = (
    "input_msat_per_mtok",
    "output_msat_per_mtok",
    "cache_read_msat_per_mtok",
    "cache_write_msat_per_mtok",
)
_USD: Final = ("input_usd_per_mtok", "output_usd_per_mtok", "cache_read_usd_per_mtok", "cache_write_usd_per_mtok")
_PRICES: Final = frozenset((*_MSAT, *_USD, _FEE))


def _given(table: Entry[ModelTable] | Entry[TierTable]) -> tuple[str, ...]:
    """The prices in it, in the order of the file."""
    return tuple(name for name in table.raw if name in _PRICES)


def _unit(given: Sequence[str]) -> Sequence[str]:
    """That of the first of them: its prices, and first those that must be there."""
    return _USD if next((name for name in given if name != _FEE), "") in _USD else _MSAT
