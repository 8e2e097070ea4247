"""The book of health: what attempts have told of offers and providers, and whom it lets in because of that.

An offer has a page with a breaker, its rests and its statistics, and so has a
provider, whose troubles are those of all its offers. An attempt is let in by a
permit, which comes back once: with a success, a failure, a rest or nothing.

A failure is always one of the offer. It is one of the provider too when
nothing of the provider could be reached, or when the offer doesn't explain it:
when it hasn't failed yet since the provider's last success or, if the call was
to find out about the provider, when the offer's own breaker was closed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from satisfice.catalog.offers import Offer, OfferId
from satisfice.health.breaker import Breaker, Limits, State, Ticket
from satisfice.health.index import Index, Snapshot
from satisfice.health.page import OfferPage, Page, ProviderStanding, Scope, Standing

__all__ = ["Change", "HealthBook", "Permit", "Trouble", "TroubleKind"]

_MOST: Final = 16_384
_REFRESH: Final = 10.0


class TroubleKind(Enum):
    """Why an offer is not plainly usable."""

    OPEN = "circuit_open"
    """It has failed too often: nobody is let in."""
    PROBING = "probing"
    """One call is finding out whether it is well again: nobody else is let in."""
    HALF_OPEN = "half_open"
    """It may be well again: whoever is let in finds out."""
    RESTING = "resting"
    """It wants to be left alone for a while: nobody is let in."""


class Trouble(NamedTuple):
    """What is the matter with an offer."""

    kind: TroubleKind
    until: float
    """When that may change; half-open: now."""
    error: str
    """What came of the last attempt that went wrong."""
    scope: Scope
    """Whether it is the offer's own, or its provider's."""


class Change(NamedTuple):
    """An attempt has changed what a breaker does. That an open one is half-open with time is not told."""

    scope: Scope
    name: str
    """An offer's id or a provider's name."""
    was: State
    to: State
    """Half-open, and was before: the probe told nothing, and the next call may be it."""
    error: str | None
    """Why it is not closed."""
    until: float | None
    """When it is half-open, or since when; None: it is closed."""


class Permit(msgspec.Struct, eq=False, gc=False):
    """Leave to make one attempt at an offer; the first thing that the book is told of it counts, and nothing else."""

    offer: Offer
    begun: float
    is_probe: bool
    """It finds out whether the offer, or its provider, is well again."""
    page: OfferPage
    ticket: Ticket | None
    """Of the offer's breaker."""
    provider_ticket: Ticket | None
    is_back: bool = False


class HealthBook:
    """All breakers, rests and statistics; the one thing that the engine tells how its attempts end."""

    def __init__(
        self,
        limits: Limits,
        *,
        chance: Callable[[], float],
        special: Mapping[str, Limits] | None = None,
        on_change: Callable[[Change], None] | None = None,
        most: int = _MOST,
    ) -> None:
        """All are well; `special` limits are by provider, `chance` gives numbers in [0, 1).

        Of more than `most` offers some are forgotten: where any model may be asked for, callers make up the names.
        """
        self._index = Index(limits, special or {}, chance=chance, most=most)
        self._offers: Mapping[OfferId, OfferPage] = self._index.offers
        self._most = most
        self._dark: dict[OfferId, Sequence[Offer]] = {}  # those that were all down when each of them was tried early
        self._refresh_at = 0.0
        self.on_change = on_change
        """Told when a breaker's state changes."""
        self.troubled: AbstractSet[str] = self._index.troubled
        """Offers (ids) and providers (names) that may not be plainly usable: ask `trouble` about these."""
        self.failure_rates: Mapping[OfferId, float] = self._index.failing
        """The share of attempts that fail, where it is worth a word; while calls come, ten seconds old at most."""

    def trouble(self, offer: Offer, now: float) -> Trouble | None:
        """What is the matter with it, on its own or with its provider: whichever lasts longer."""
        own = self._look(self._offers.get(offer.id), now)
        shared = self._look(self._index.providers.get(offer.provider), now)
        if own is None or shared is None:
            return own or shared
        return own if own.until > shared.until else shared

    def latency(self, offer: OfferId, output_tokens: int, *, now: float) -> float | None:
        """Seconds that an answer of so many tokens takes there; None: not known."""
        page = self._offers.get(offer)
        return None if page is None else page.stats.latency(output_tokens, now)

    def admit(self, offer: Offer, now: float, *, lease: float) -> Permit | Trouble:
        """Leave to make an attempt there, or why not. If it is a probe, its result counts for `lease` seconds."""
        page = self._offers.get(offer.id) or self._index.offer(offer.id, offer.provider, now=now)
        is_probe = False
        troubled = self.troubled
        if troubled and (offer.id in troubled or offer.provider in troubled):
            trouble = self.trouble(offer, now)
            is_probe = trouble is not None
            if trouble is not None and trouble.kind is not TroubleKind.HALF_OPEN:
                return trouble
        if now >= self._refresh_at:
            self._refresh_at = now + _REFRESH
            self._index.refresh(now)
        ticket, provider_ticket = page.breaker.admit(now, lease), page.provider.breaker.admit(now, lease)
        return Permit(offer, now, is_probe, page, ticket, provider_ticket)

    def hasten(self, offers: Sequence[Offer], now: float) -> bool:
        """Nobody else can be asked: let one of these be half-open sooner than it said. False: none of them may be yet.

        When all sellers of a model have been down, whoever is up again is found in seconds, and is still not asked by
        more than one call at a time, nor more often than every few seconds. With it the others are tried anew.
        """
        longest: tuple[float, Sequence[Breaker]] = (0.0, ())
        for offer in offers:
            trouble = self.trouble(offer, now)
            if trouble is None or trouble.kind is not TroubleKind.OPEN:
                continue
            breakers = self._open_ones(offer, now)
            pauses = [breaker.pause(now) for breaker in breakers]
            shortest = min((each for each in pauses if each is not None), default=0.0)
            if None not in pauses and shortest > longest[0]:
                longest = shortest, breakers
        for breaker in longest[1]:
            breaker.hasten(now)
        if longest[1]:
            if len(self._dark) > self._most:  # callers can make names up
                self._dark.clear()
            self._dark |= dict.fromkeys((offer.id for offer in offers), offers)
        return bool(longest[1])

    def _brighten(self, offers: Sequence[Offer], now: float) -> None:
        """One of them is well again: so may the others be."""
        for offer in offers:
            self._dark.pop(offer.id, None)
            for breaker in self._open_ones(offer, now):
                breaker.hasten(now)

    def _open_ones(self, offer: Offer, now: float) -> Sequence[Breaker]:
        """The breakers, its own and its provider's, by which an offer is left alone."""
        pages = self._offers.get(offer.id), self._index.providers.get(offer.provider)
        return [page.breaker for page in pages if page is not None and page.breaker.state(now) is State.OPEN]

    def succeed(self, permit: Permit, now: float, *, first_byte: float, seconds: float, tokens: int) -> None:
        """It went well: seconds to its first output and to its end (the same if it came whole), and tokens put out."""
        if permit.is_back:
            return
        permit.is_back = True
        page = permit.page
        provider = page.provider
        if self._succeed(page, permit.ticket, now=now, begun=permit.begun):
            page.stats.note_success(now, first_byte=first_byte, seconds=seconds, tokens=tokens)
            if page.id in self.failure_rates:
                self._index.note_rate(page, now)
        if permit.is_probe and permit.offer.id in self._dark:
            self._brighten(self._dark[permit.offer.id], now)
        if self._succeed(provider, permit.provider_ticket, now=now, begun=permit.begun) and provider.failed:
            provider.failed.clear()

    def fail(self, permit: Permit, now: float, *, error: str, is_providers: bool, is_repeat: bool = False) -> None:
        """It failed; `is_providers`: nothing of the provider could be reached.

        `is_repeat`: the same call has failed there already, and one call doesn't count twice towards a limit.
        """
        if permit.is_back:
            return
        permit.is_back = True
        page = permit.page
        if page.breaker.is_current(permit.ticket, now):
            page.stats.note_failure(now)
            self._index.note_rate(page, now)
        if is_repeat and not permit.is_probe:
            return
        is_shared = is_providers or not _explains(page)
        self._fail(page, permit.ticket, now=now, error=error)
        if not is_shared:
            self._release(page.provider, permit.provider_ticket)
        elif self._fail(page.provider, permit.provider_ticket, now=now, error=error):
            page.provider.failed.add(page.name)

    def rest(self, permit: Permit, now: float, *, seconds: float | None, error: str, whole_provider: bool) -> None:
        """It was told to come back in so many seconds; None: later, so the rests grow while they follow each other.

        That is no failure: once it is over, the offer (or `whole_provider`) is as usable as it was before.
        """
        if permit.is_back:
            return
        page: Page = permit.page.provider if whole_provider else permit.page
        if page.breaker.is_current(permit.provider_ticket if whole_provider else permit.ticket, now):
            page.rest.begin(now, begun=permit.begun, seconds=seconds, error=error)
            self._index.mark(page, now)
        self.release(permit)

    def release(self, permit: Permit) -> None:
        """It came to nothing that says how the offer is: the caller left, or asked for something wrong."""
        if permit.is_back:
            return
        permit.is_back = True
        self._release(permit.page, permit.ticket)
        self._release(permit.page.provider, permit.provider_ticket)

    def report(self, offers: Iterable[Offer], now: float) -> tuple[ProviderStanding, ...]:
        """How these offers and their providers stand, in the order given."""
        by_provider: dict[str, list[Standing]] = {}
        for offer in offers:
            standing = _standing(offer.id, self._offers.get(offer.id), now=now)
            by_provider.setdefault(offer.provider, []).append(standing)
        return tuple(
            ProviderStanding(_standing(name, self._index.providers.get(name), now=now), tuple(standings))
            for name, standings in by_provider.items()
        )

    def forget(self, *, keep: Collection[Offer]) -> None:
        """Forget all but these offers and their providers; one for any model keeps all of its provider's."""
        self._index.forget(keep)

    def snapshot(self, now: float, unix_ms: int) -> Snapshot:
        """All of it as it is now, except for the attempts that are under way."""
        return self._index.save(now, unix_ms)

    def restore(self, snapshot: Snapshot, now: float, *, unix_ms: int) -> None:
        """Go on from a snapshot. If the system's clock has gone back since, no time has passed."""
        self._index.restore(snapshot, now, unix_ms=unix_ms)

    def _look(self, page: Page | None, now: float) -> Trouble | None:
        if page is None:
            return None
        trouble = _trouble(page, now)
        if trouble is None:
            self._index.mark(page, now)  # A rest may be over.
        return trouble

    def _succeed(self, page: Page, ticket: Ticket | None, *, now: float, begun: float) -> bool:
        if not page.rest.count and page.breaker.is_calm(ticket):
            return True
        was_closed = page.breaker.opened_at is None
        if not page.breaker.succeed(ticket, now):
            return False
        if page.rest.count:
            page.rest.succeed(begun)
        if not was_closed:
            self._index.mark(page, now)
            self._tell(page, State.HALF_OPEN, to=State.CLOSED)
        return True

    def _fail(self, page: Page, ticket: Ticket | None, *, now: float, error: str) -> bool:
        was = page.breaker.state(now)
        is_news = page.breaker.fail(ticket, now, error=error)
        if is_news and page.breaker.opened_at is not None:
            self._index.mark(page, now)
            self._tell(page, was, to=State.OPEN)
        return is_news

    def _release(self, page: Page, ticket: Ticket | None) -> None:
        if page.breaker.release(ticket):
            self._tell(page, State.HALF_OPEN, to=State.HALF_OPEN)

    def _tell(self, page: Page, was: State, *, to: State) -> None:
        if self.on_change is not None and not page.is_torn_out:
            breaker = page.breaker
            self.on_change(Change(page.scope, page.name, was, to, breaker.last_error, breaker.probe_at))


def _trouble(page: Page, now: float) -> Trouble | None:
    """Of a rest and an open breaker, the one that lasts longer."""
    breaker, rest = page.breaker, page.rest
    state = breaker.state(now)
    if rest.is_on(now) and (state is State.CLOSED or rest.until > breaker.free_at):
        return Trouble(TroubleKind.RESTING, rest.until, rest.error, page.scope)
    if state is State.CLOSED:
        return None
    kind = TroubleKind.OPEN if state is State.OPEN else TroubleKind.HALF_OPEN
    if breaker.is_probing(now):
        kind = TroubleKind.PROBING
    return Trouble(kind, max(now, breaker.free_at), breaker.last_error or "", page.scope)


def _explains(page: OfferPage) -> bool:
    """This offer's failures say nothing of its provider, for the offer would fail by itself."""
    if page.provider.breaker.opened_at is None:
        return page.id in page.provider.failed
    return page.breaker.opened_at is not None


def _standing(name: str, page: Page | None, *, now: float) -> Standing:
    return Standing(name) if page is None else page.standing(now)
