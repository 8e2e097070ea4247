"""Which conversation a call goes on with, and what of it the caches of providers still hold.

A conversation is recognised by its messages: each call is noted under a chain
of hashes over them, so a later call that begins with the same messages is
found whoever sends it, and one that changes an early message is not.

    call 1   system, question                       noted under  h2
    call 2   system, question, answer, question     h1 h2 h3 h4  found at h2, noted under h4

No content is kept, and the hashes are keyed anew in each process. Where the
messages are not recognised, the name that the caller gave the conversation is
what is left; how much of the cache such a name is worth is learnt for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from satisfice.catalog.offers import Offer, OfferId
from satisfice.core.amounts import Usage
from satisfice.routing.caches import Caches, served
from satisfice.routing.fading import Ratio
from satisfice.routing.recent import Recent
from satisfice.wire.request import Request

__all__ = ["NEW", "Conversations", "Thread", "Warm"]


class Warm(NamedTuple):
    """What an offer's cache was given."""

    tokens: int
    at: float
    """When, in seconds of the injected clock."""


_COLD: Final[Mapping[OfferId, Warm]] = MappingProxyType({})


class Thread(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A conversation as a call finds it."""

    key: int | None = None
    """What to note the call under; None: it can't be recognised again."""
    name: int | None = None
    """The same for the name that the caller gave the conversation; None: it gave none."""
    turns: int = 0
    """Answers so far."""
    remaining: float = 0.0
    """Calls that are expected to follow on this one."""
    prefix: int = 0
    """Tokens of the part that is known: the last call's input and output."""
    warm: Mapping[OfferId, Warm] = _COLD
    """Offers that were given some of it, the last one first."""
    share: float | None = None
    """Only its name was recognised, and of what that stands for caches serve such a share; None: its messages were."""
    opening: int = 0
    """Its first message, by which applications are told apart; 0: it began with one message alone."""
    at: float = 0.0
    """When the call came."""


NEW: Final = Thread()
"""A call of which nothing is known, and nothing will be noted."""


_FIRST_CALLS: Final = 16_384
_CALLS: Final = 16_384
"""Calls remembered: those that may be the first of a conversation, and those that went on with one. The many that
nothing follows can't drive out a conversation."""
_NAMES: Final = 4_096
_AGE: Final = 24 * 3_600.0
"""Seconds for which a call is remembered."""
_WARM: Final = 8
"""Offers that one conversation is remembered at."""
_OPENINGS: Final = 1_024

_ENDLESS: Final = 10**9
"""More tokens than any cache holds."""
_NAMED_SHARE: Final = 0.5
"""Of what a name alone stands for, before anything is known: it may be one conversation, edited, or a whole user."""

_FAR: Final = 50.0
"""Calls ahead; what comes later is too uncertain to pay for now."""
_OPENING_PRIOR: Final = 4.0
"""Calls that nothing followed, with which each application begins."""
_OPENING_FADE: Final = 0.99


class _Known(NamedTuple):
    """What is remembered of a call."""

    turns: int
    prefix: int
    warm: Mapping[OfferId, Warm]
    opening: int
    at: float
    share: float = _NAMED_SHARE


class Conversations:
    """The conversations under way."""

    __slots__ = ("_calls", "_first_calls", "_names", "_openings", "caches")

    def __init__(self, *, lifetimes: Mapping[str, float]) -> None:
        """None is known; `lifetimes` is what the operator knows of how long providers hold prompts, in seconds."""
        self.caches = Caches(lifetimes)
        self._first_calls = Recent[int, _Known](_FIRST_CALLS)
        self._calls = Recent[int, _Known](_CALLS)
        self._names = Recent[int, _Known](_NAMES)
        self._openings = Recent[int, Ratio](_OPENINGS)

    def recognise(
        self, request: Request, messages: Sequence[msgspec.Raw], *, session: str | None, now: float
    ) -> Thread:
        """The conversation that a call with these messages goes on with, or begins."""
        said = session or request.session
        name = None if said is None else hash((said,))
        links: list[int] = []
        link = 0
        for message in messages:
            # Keyed, 64 bits, and with the length: as good as blake2b here, at a quarter of its cost.
            link = hash((link, bytes(message)))
            links.append(link)
        key = link if links else None
        calls, first_calls = self._calls, self._first_calls
        for each in reversed(links):
            known = calls.get(each) or first_calls.get(each)
            if known is not None:
                return self._thread(known, key, name=name, now=now)
        if name is not None and (known := self._names.get(name)) is not None:
            thread = self._thread(known, key, name=name, now=now)
            return msgspec.structs.replace(thread, share=known.share, remaining=thread.remaining * known.share)
        opening = links[0] if len(links) > 1 else 0
        return Thread(key=key, name=name, remaining=self._followers(opening), opening=opening, at=now)

    def note(self, thread: Thread, offer: Offer, *, usage: Usage, now: float) -> None:
        """A call that found the conversation so was answered by this offer, whose cache now holds it all."""
        tokens = min(usage.input + usage.output, _ENDLESS)
        others = [each for each in thread.warm.items() if each[0] != offer.id]
        warm = dict([(offer.id, Warm(tokens, now)), *others[: _WARM - 1]])
        known = _Known(thread.turns + 1, tokens, warm, thread.opening, now)
        before = thread.warm.get(offer.id)
        seen = None if before is None else served(offer, before.tokens, usage=usage)
        if before is not None and seen is not None and thread.share is None:
            self.caches.learn(offer.provider, gap=thread.at - before.at, share=seen)
        if thread.key is not None:
            goes_on = thread.turns > 0 and thread.share is None
            self._count(thread.opening, goes_on=goes_on)
            _put(self._calls if goes_on else self._first_calls, thread.key, known=known)
        if thread.name is not None:
            share = self._share(thread.name)
            if seen is not None and thread.share is not None:
                share = (share + seen) / 2.0
            _put(self._names, thread.name, known=known._replace(share=share))

    def expected_cached(self, thread: Thread, offer: Offer, *, input_tokens: int, now: float) -> int:
        """Tokens of the prompt that the offer's cache will probably serve; what saves nothing counts as none."""
        warm = thread.warm.get(offer.id)
        if warm is None:
            return 0
        tokens = min(warm.tokens, input_tokens)
        return self.kept(thread, offer, tokens=tokens) if self.caches.holds(offer, tokens, gap=now - warm.at) else 0

    def kept(self, thread: Thread, offer: Offer, *, tokens: int) -> int:
        """Of so many tokens that the offer is about to read, those that its cache will serve to the next call."""
        kept = self.caches.kept(offer, tokens)
        return kept if thread.share is None else min(kept, int(tokens * thread.share))

    def _thread(self, known: _Known, key: int | None, *, name: int | None, now: float) -> Thread:
        return Thread(
            key=key,
            name=name,
            turns=known.turns,
            # What has lasted so long will last as long again (Lindy), or until it is as long as its like.
            remaining=min(_FAR, max(float(known.turns), self._followers(known.opening) - known.turns)),
            prefix=known.prefix,
            warm=known.warm,
            opening=known.opening,
            at=now,
        )

    def _share(self, name: int) -> float:
        known = self._names.get(name)
        return _NAMED_SHARE if known is None else known.share

    def _followers(self, opening: int) -> float:
        """How many calls follow on the first one, where a conversation opens so."""
        ratio = self._openings.get(opening)
        if ratio is None:
            return 0.0
        share = ratio.value
        return share / (1.0 - share) if share < _FAR / (_FAR + 1.0) else _FAR

    def _count(self, opening: int, *, goes_on: bool) -> None:
        """Learn which share of the calls of such conversations go on with an earlier one."""
        ratio = self._openings.get(opening) or Ratio(0.0, _OPENING_PRIOR, fade=_OPENING_FADE)
        ratio.add(float(goes_on), 1.0)
        self._openings.put(opening, ratio)


def _put(table: Recent[int, _Known], key: int, *, known: _Known) -> None:
    """Remember a call, and forget those of long ago."""
    table.put(key, known)
    while next(iter(table.values())).at < known.at - _AGE:
        table.popitem(last=False)
