"""What calls have taught of offers that their providers' lists have wrong: true windows, and abilities they lack."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from satisfice.catalog.offers import Offer, OfferId
from satisfice.wire.request import Ability

__all__ = ["Lesson", "Lessons"]


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What is known better of one offer."""

    offer: OfferId
    context: int | None = None
    """Tokens of prompt and answer together, as its provider said when a prompt was too long; None: no word of it."""
    lacks: frozenset[Ability] = frozenset()


class Lessons:
    """Corrects offers by what calls have taught. Bounded: what was confirmed longest ago is forgotten first."""

    __slots__ = ("_known", "_most")

    def __init__(self, *, most: int = 10_000) -> None:
        """Nothing is learnt yet; `most` offers are remembered."""
        self._known: dict[OfferId, Lesson] = {}
        self._most = most

    def learn_context(self, offer: OfferId, tokens: int) -> bool:
        """Take the provider's latest word on its window; true if that is news. One of no tokens is no window."""
        known = self._lesson(offer)
        return tokens > 0 and self._learn(msgspec.structs.replace(known, context=tokens))

    def learn_lack(self, offer: OfferId, ability: Ability) -> bool:
        """The provider has said that the offer can't do this; true if that is news."""
        known = self._lesson(offer)
        return self._learn(msgspec.structs.replace(known, lacks=known.lacks | {ability}))

    def apply(self, offer: Offer) -> Offer:
        """The offer as it is: never with a larger window than listed, nor with an ability that it was found to lack."""
        lesson = self._known.get(offer.id)
        if lesson is None:
            return offer
        listed = offer.capabilities
        windows = [tokens for tokens in (listed.context, lesson.context) if tokens is not None]
        capabilities = msgspec.structs.replace(
            listed,
            context=min(windows, default=None),
            has=listed.has - lesson.lacks,
            lacks=listed.lacks | lesson.lacks,
        )
        return msgspec.structs.replace(offer, capabilities=capabilities)

    def shown(self) -> tuple[Lesson, ...]:
        """All that was learnt, the latest last."""
        return tuple(self._known.values())

    def snapshot(self) -> tuple[Lesson, ...]:
        """What `restore` takes."""
        return self.shown()

    def restore(self, lessons: Iterable[Lesson]) -> None:
        """Know again what was known before a restart."""
        for lesson in lessons:
            self._learn(lesson)

    def _lesson(self, offer: OfferId) -> Lesson:
        return self._known.get(offer) or Lesson(offer=offer)

    def _learn(self, lesson: Lesson) -> bool:
        known = self._known.pop(lesson.offer, None)
        self._known[lesson.offer] = lesson
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return lesson != known
