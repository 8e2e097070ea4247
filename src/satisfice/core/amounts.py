"""Money and token counts as integers: conversion, rounding and printing.

Amounts are whole millisatoshi (1 sat = 1,000 msat); rates are whole
millisatoshi per million tokens. Rounding is always up, because every rounding
here is of something we owe.
"""

from __future__ import annotations

from typing import Final, NewType

import msgspec

__all__ = ["MSAT_PER_BTC", "PER_MTOK", "Msat", "Rate", "Usage", "UsdPerBtc", "price_of", "rate_from_usd", "show_msat"]

Msat = NewType("Msat", int)
"""An amount of money in millisatoshi."""

Rate = NewType("Rate", int)
"""A price in millisatoshi per million tokens."""

UsdPerBtc = NewType("UsdPerBtc", int)
"""An exchange rate in whole US dollars per bitcoin."""

MSAT_PER_BTC: Final = 100_000_000_000
PER_MTOK: Final = 1_000_000
_MICRO: Final = 1_000_000


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one answer in buckets that never overlap, so that they can be added up and priced one by one."""

    uncached: int = 0
    """Input read in full."""
    cache_read: int = 0
    """Input served from the provider's prompt cache."""
    cache_write: int = 0
    """Input read in full and put into the cache, where a provider counts that apart."""
    text: int = 0
    """Output that the caller sees."""
    reasoning: int = 0
    """Output that the model thought and the caller need not see."""

    @property
    def input(self) -> int:
        """All input tokens."""
        return self.uncached + self.cache_read + self.cache_write

    @property
    def output(self) -> int:
        """All output tokens."""
        return self.text + self.reasoning


def price_of(tokens: int, rate: Rate) -> Msat:
    """What so many tokens cost at this rate, in msat, rounded up."""
    return Msat(-(-tokens * rate // PER_MTOK))


def rate_from_usd(micro_usd_per_mtok: int, usd_per_btc: UsdPerBtc) -> Rate:
    """Millionths of a dollar per million tokens as msat per million tokens, rounded up."""
    return Rate(-(-micro_usd_per_mtok * MSAT_PER_BTC // (_MICRO * usd_per_btc)))


def show_msat(amount: Msat) -> str:
    """An amount for people, in sat with as many decimals as it has: `3.1 sat`, `12,480 sat`."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 1_000)
    decimals = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{sign}{whole:,}{decimals} sat"
