"""Prompt caches of providers: how much of what was read they still hold later, and for how long.

A provider that has just answered holds the whole prompt, most of the time and
for a while. Both are learnt for each provider from the cached tokens that it
reports; who is new is taken to hold the share that all together do. What a gap
close to the lifetime shows is put down to the lifetime, what a short one shows
to the share that is held:

    hit after a gap longer than the lifetime    the lifetime goes half-way up to the gap
    miss after a shorter gap                    the lifetime goes down to the gap by a part, (gap / lifetime)² / 2
    either after a shorter gap                  the share goes towards it, weighing 1 - gap / lifetime, at least 0.1

Ways are measured on a logarithmic scale. So a hit never shortens a lifetime, a
miss never lengthens it, and neither carries it beyond the gap that was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Usage
from satisfice.routing.fading import Ratio, Sums
from satisfice.routing.recent import Recent

__all__ = ["CacheSnapshot", "Caches", "CachesSnapshot", "served"]


class CacheSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt of one provider's cache."""

    share: Sums | None
    """Cached tokens over those that could have been, call by call; None: not known."""
    lifetime: Annotated[float, msgspec.Meta(gt=0.0)]
    """In seconds."""
    believed: float
    """What it was thought to be at first."""


class CachesSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt, to be kept over a restart."""

    providers: Mapping[str, CacheSnapshot] = msgspec.field(default_factory=dict)
    everybody: Sums | None = None
    """The share of all of them together."""


_PROVIDERS: Final = 1_024
"""Providers remembered."""
_FEWEST: Final = 1_024
"""Tokens below which providers cache nothing (https://platform.openai.com/docs/guides/prompt-caching)."""
_LIFETIME: Final = 300.0
"""Seconds that a prompt is held, before anything is known (source as above: 5 to 10 minutes)."""
_SHORTEST: Final = 30.0
_LONGEST: Final = 24 * 3_600.0
"""Bounds of the lifetime."""
_SHARE: Final = 0.8
"""Of the tokens that could be served from the cache, before anything is known."""
_PRIOR: Final = 4.0
"""Calls that this is worth."""
_FADE: Final = 0.95
_LEAST_WEIGHT: Final = 0.1


class Caches:
    """What is known of providers' caches; where cached tokens cost as much as others, caching brings nothing."""

    __slots__ = ("_caches", "_everybody", "lifetimes")

    def __init__(self, lifetimes: Mapping[str, float]) -> None:
        """What the operator knows of how long providers hold prompts, in seconds."""
        self.lifetimes = lifetimes
        """May be replaced: for whom it is another now, what was learnt is forgotten."""
        self._caches = Recent[str, _Cache](_PROVIDERS)
        self._everybody = Ratio(_SHARE * _PRIOR, _PRIOR, fade=_FADE)  # what who isn't known yet is taken to be like

    def holds(self, offer: Offer, tokens: int, *, gap: float) -> bool:
        """Can so many tokens, which the offer read so many seconds ago, still be cached there, and does that save?"""
        return _is_worth_caching(offer, tokens) and gap <= self._of(offer.provider).lifetime

    def kept(self, offer: Offer, tokens: int) -> int:
        """Of so many tokens that the offer read a moment ago, those that its cache will probably serve."""
        price = offer.price
        if tokens < _FEWEST or price is None or price.cache_read is None:
            return 0
        return int(tokens * (self._of(offer.provider).share or self._everybody).value)

    def learn(self, provider: str, *, gap: float, share: float) -> None:
        """So many seconds after it had read a prompt, the provider served such a share of it from its cache."""
        weight = self._of(provider).learn(max(0.0, gap), share, like=self._everybody.value)
        if weight:
            self._everybody.add(share * weight, weight)

    def snapshot(self) -> CachesSnapshot:
        """What was learnt."""
        return CachesSnapshot(
            providers={
                provider: CacheSnapshot(
                    share=None if cache.share is None else cache.share.sums,
                    lifetime=cache.lifetime,
                    believed=cache.believed,
                )
                for provider, cache in self._caches.items()
            },
            everybody=self._everybody.sums,
        )

    def restore(self, snapshot: CachesSnapshot) -> None:
        """Go on from what was learnt before."""
        if snapshot.everybody is not None:
            self._everybody = Ratio(snapshot.everybody.top, snapshot.everybody.bottom, fade=_FADE)
        for provider, kept in snapshot.providers.items():
            cache = _Cache(kept.believed)
            cache.share = None if kept.share is None else Ratio(kept.share.top, kept.share.bottom, fade=_FADE)
            cache.lifetime = _bounded(kept.lifetime)
            self._caches.put(provider, cache)

    def _of(self, provider: str) -> _Cache:
        believed = self.lifetimes.get(provider, _LIFETIME) if self.lifetimes else _LIFETIME
        cache = self._caches.get(provider)
        if cache is None or cache.believed != believed:
            cache = _Cache(believed)
            self._caches.put(provider, cache)
        return cache


def served(offer: Offer, tokens: int, *, usage: Usage) -> float | None:
    """The share of so many tokens that came from the cache; None: that tells nothing of the cache."""
    possible = min(tokens, usage.input)
    return min(usage.cache_read, possible) / possible if _is_worth_caching(offer, possible) else None


class _Cache:
    """What is known of one provider's cache."""

    __slots__ = ("believed", "lifetime", "share")

    def __init__(self, believed: float) -> None:
        self.believed = believed
        self.lifetime = _bounded(believed)
        self.share: Ratio | None = None
        """None: nothing is known of it."""

    def learn(self, gap: float, share: float, *, like: float) -> float:
        """So many seconds after it was given a prompt it served such a share of it; how much that tells of the share.

        Before, that was taken to be `like` that of others.
        """
        is_hit = share >= 0.5  # Less may be a system prompt that other conversations keep in the cache.
        part = gap / self.lifetime
        if part > 1.0:
            if is_hit:
                self.lifetime = _bounded(self.lifetime * part**0.5)
            return 0.0
        weight = max(_LEAST_WEIGHT, 1.0 - part)
        if self.share is None:
            self.share = Ratio(like * _PRIOR, _PRIOR, fade=_FADE)
        self.share.add(share * weight, weight)
        if not is_hit:
            self.lifetime = _bounded(self.lifetime * part ** (part * part / 2.0))
        return weight


def _is_worth_caching(offer: Offer, tokens: int) -> bool:
    return tokens >= _FEWEST and offer.price is not None and offer.price.cache_read is not None


def _bounded(lifetime: float) -> float:
    return min(max(_SHORTEST, lifetime), _LONGEST)
