"""What the book of health says against offers, for one decision: what is the matter, why, and how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from satisfice.catalog.offers import Offer
from satisfice.health.book import Trouble, TroubleKind
from satisfice.routing.cost import Conditions
from satisfice.routing.reasons import Reason

__all__ = ["Doubts"]

_IN_WORDS: Final[Mapping[TroubleKind, str]] = {
    TroubleKind.OPEN: "left alone for another {left:.0f} s",
    TroubleKind.PROBING: "being tried by another call, for at most {left:.0f} s,",
    TroubleKind.HALF_OPEN: "half-open, so that one call at a time tries it,",
    TroubleKind.RESTING: "resting for another {left:.0f} s",
}


class Doubts:
    """Looks troubles up at one instant; one of a provider only once, since it may have hundreds of offers."""

    __slots__ = ("_health", "_longest_wait", "_now", "_probe_wait", "_reasons", "_shared")

    def __init__(self, conditions: Conditions) -> None:
        """Nobody has been looked up yet."""
        self._health = conditions.health
        self._now = conditions.now
        self._longest_wait = conditions.longest_wait
        self._probe_wait = conditions.probe_wait
        self._shared: dict[str, Trouble | None] = {}
        self._reasons: dict[str, Reason] = {}

    def about(self, offer: Offer) -> Trouble | None:
        """What is the matter with it; None: it is well."""
        provider, troubled = offer.provider, self._health.troubled
        if offer.id in troubled:
            return self._health.trouble(offer, self._now)
        if provider not in self._shared:
            self._shared[provider] = self._health.trouble(offer, self._now) if provider in troubled else None
        return self._shared[provider]

    def reason(self, offer: Offer, trouble: Trouble) -> Reason:
        """Why the offer can't have the call."""
        about = offer.provider if trouble.scope == "provider" else offer.id
        reason = self._reasons.get(about)
        if reason is None:
            left = max(0.0, trouble.until - self._now)
            story = _IN_WORDS[trouble.kind].format(left=left)
            reason = self._reasons[about] = Reason(trouble.kind.value, f"{story} after: {trouble.error}")
        return reason

    def ready(self, trouble: Trouble) -> float | None:
        """When a call that has nobody else may try it after all; None: that is too long to wait for."""
        if trouble.kind is TroubleKind.OPEN:
            return None
        ready = trouble.until
        if trouble.kind is TroubleKind.PROBING:
            ready = min(ready, self._now + self._probe_wait)
        return ready if ready <= self._now + self._longest_wait else None
