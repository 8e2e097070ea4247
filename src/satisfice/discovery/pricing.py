"""Prices as lists have them, in dollars or satoshi, a token or a million: read exactly, and rounded up.

What can't be read is no price, and what has no price isn't free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, Context, Decimal
from typing import Annotated, Final, NamedTuple

import msgspec

from satisfice.catalog.offers import Price, Tier
from satisfice.core.amounts import Msat, Rate, UsdPerBtc, rate_from_usd

__all__ = ["SATS_PER_MTOK", "SATS_PER_TOKEN", "TakesAll", "Unit", "Unpriced", "read_price", "usd_per_token"]

_UP: Final = Context(prec=50, rounding=ROUND_CEILING)
_PER_MILLION: Final = 1_000_000


class Unpriced(Exception):
    """There is no price to go by; the text says why, and goes after the name of what has none."""


class TakesAll(Exception):
    """A call costs whatever the account holds for it: what Routstr charges where a price is 0 and the model isn't."""


class Unit(NamedTuple):
    """What the numbers of a price are in."""

    rate: Callable[[Decimal], Rate]
    """Of a positive number, rounded up; or `Unpriced`."""
    most: Decimal
    """What is above is no price but a mistake."""

    def read(self, number: Decimal | None, what: str) -> Rate:
        """The rate for a number of a list, whatever that number is; or `Unpriced`."""
        if number is None:
            raise Unpriced(f"has no price of {what}")
        if not number.is_finite():
            raise Unpriced(f"has a price of {what} that is no number")
        if number < 0:
            raise Unpriced(f"has a price of {what} below nothing")
        if number > self.most:
            raise Unpriced(f"has a price of {what} beyond all reason")
        return self.rate(number) if number else Rate(0)  # nothing is nothing at any exchange rate

    def read_cache(self, number: Decimal | None) -> Rate | None:
        """The same for what a cache serves or takes in: 0 stands for not known, as nobody gives it away.

        Routstr fills in 0 and charges the full price then.
        """
        try:
            return self.read(number, "its cache") or None
        except Unpriced:
            return None


def usd_per_token(usd_per_btc: UsdPerBtc | None) -> Unit:
    """Dollars a token, as OpenRouter lists them, at this exchange rate if there is one."""

    def rate(usd: Decimal) -> Rate:
        if usd_per_btc is None:
            raise Unpriced("has its price in dollars, and nothing says what a bitcoin costs")
        return rate_from_usd(_scaled(usd, 10**12), usd_per_btc)

    return Unit(rate, Decimal(1))


def _scaled(number: Decimal, factor: int) -> int:
    return int(_UP.to_integral_value(_UP.multiply(number, factor)))


SATS_PER_TOKEN: Final = Unit(lambda sats: Rate(_scaled(sats, 10**9)), Decimal(10_000))
SATS_PER_MTOK: Final = Unit(lambda sats: Rate(_scaled(sats, 1_000)), Decimal(10**10))


def read_price(pricing: msgspec.Raw, sats_pricing: msgspec.Raw, *, usd: Unit) -> Price:
    """What a model costs; `Unpriced` if that isn't said or makes no sense, `TakesAll` if it is all one has.

    Satoshi are what a provider that lists them charges, so they count over dollars.
    """
    in_sats = _read(sats_pricing)
    if in_sats is None:
        in_usd = _read(pricing)
        if in_usd is None:
            raise Unpriced("has no price")
        return _price(in_usd, usd, fee=_fee(in_usd, usd))
    if (_is_nothing(in_sats.prompt) or _is_nothing(in_sats.completion)) and not _is_free(pricing):
        raise TakesAll
    return _price(in_sats, SATS_PER_TOKEN, fee=Msat(0))  # Routstr lists a fee where it charges none


class _Rates(msgspec.Struct, frozen=True, kw_only=True):
    """https://openrouter.ai/docs/overview/models."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    input_cache_read: Decimal | None = None
    input_cache_write: Decimal | None = None


class _Override(_Rates, frozen=True, kw_only=True):
    """What differs under some condition: a prompt of so many tokens, a time of day."""

    min_prompt_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Pricing(_Rates, frozen=True, kw_only=True):
    request: Decimal | None = None
    overrides: list[_Override] | None = None


_pricing_of = msgspec.json.Decoder(_Pricing | None).decode


def _read(raw: msgspec.Raw) -> _Pricing | None:
    try:
        listed: _Pricing | None = _pricing_of(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unpriced("has a price that can't be read") from None
    return listed


def _is_nothing(number: Decimal | None) -> bool:
    return number is not None and number.is_zero()


def _is_free(pricing: msgspec.Raw) -> bool:
    try:
        listed = _read(pricing)
    except Unpriced:
        return False
    return listed is not None and _is_nothing(listed.prompt) and _is_nothing(listed.completion)


def _fee(listed: _Pricing, unit: Unit) -> Msat:
    """A fee is listed for one call, so as a rate it is for a million of them."""
    if listed.request is None:
        return Msat(0)
    return Msat(-(-unit.read(listed.request, "a call") // _PER_MILLION))


def _price(listed: _Pricing, unit: Unit, *, fee: Msat) -> Price:
    rates = Tier(
        above=0,
        input=unit.read(listed.prompt, "input"),
        output=unit.read(listed.completion, "output"),
        cache_read=unit.read_cache(listed.input_cache_read),
        cache_write=unit.read_cache(listed.input_cache_write),
    )
    base, *tiers = _tiers(rates, listed.overrides or (), unit=unit)
    return Price(
        input=base.input,
        output=base.output,
        cache_read=base.cache_read,
        cache_write=base.cache_write,
        base_fee=fee,
        tiers=tuple(tiers),
    )


def _tiers(base: Tier, overrides: Sequence[_Override], *, unit: Unit) -> Sequence[Tier]:
    """The base and the dearer rates for longer prompts. Of rates that may apply it is the dearest that counts."""
    tiers = [base]
    for override in sorted(overrides, key=_threshold):
        above = max(0, override.min_prompt_tokens - 1)
        dearer = _dearer(tiers[-1], override, above=above, unit=unit)
        if above == tiers[-1].above:
            tiers.pop()
        tiers.append(dearer)
    return tiers


def _threshold(override: _Override) -> int:
    return override.min_prompt_tokens


def _dearer(tier: Tier, override: _Override, *, above: int, unit: Unit) -> Tier:
    prompt, completion = override.prompt, override.completion
    return Tier(
        above=above,
        input=tier.input if prompt is None else max(tier.input, unit.read(prompt, "input")),
        output=tier.output if completion is None else max(tier.output, unit.read(completion, "output")),
        cache_read=_dearest(tier.cache_read, unit.read_cache(override.input_cache_read)),
        cache_write=_dearest(tier.cache_write, unit.read_cache(override.input_cache_write)),
    )


def _dearest(*rates: Rate | None) -> Rate | None:
    return max((rate for rate in rates if rate is not None), default=None)
