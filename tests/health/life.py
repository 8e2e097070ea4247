"""The life of a book of health: what tests do with it, and what hypothesis does to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from satisfice.catalog.offers import Offer
from satisfice.health.book import Change, HealthBook, Permit, Trouble, TroubleKind
from satisfice.health.breaker import Limits, State
from tests.build import an_offer

__all__ = [
    "HUGE",
    "LARGE",
    "LEASE",
    "LIMITS",
    "OTHER",
    "SMALL",
    "STEPS",
    "TINY",
    "Life",
    "World",
    "broken",
    "unreachable",
]

LIMITS = Limits(failures=3, open_for=30.0, open_max=100.0)
LEASE = 10.0
SMALL, LARGE, HUGE, TINY = (an_offer("acme", model) for model in ("small", "large", "huge", "tiny"))
OTHER = an_offer("other", "small")


class Life:
    """A book, and the time it is."""

    def __init__(self, limits: Limits = LIMITS, *, special: Mapping[str, Limits] | None = None) -> None:
        self.now = 1_000.0
        self.changes: list[Change] = []
        self.book = HealthBook(limits, chance=lambda: 0.0, special=special, on_change=self.changes.append)

    def enter(self, offer: Offer) -> Permit:
        permit = self.book.admit(offer, self.now, lease=LEASE)
        assert isinstance(permit, Permit)
        return permit

    def refused(self, offer: Offer) -> Trouble:
        trouble = self.book.admit(offer, self.now, lease=LEASE)
        assert isinstance(trouble, Trouble)
        return trouble

    def trouble(self, offer: Offer) -> TroubleKind | None:
        """What is the matter, as routing finds out: it asks only about what is marked."""
        if offer.id not in self.book.troubled and offer.provider not in self.book.troubled:
            return None
        trouble = self.book.trouble(offer, self.now)
        return None if trouble is None else trouble.kind

    def succeed(self, permit: Permit) -> None:
        self.book.succeed(permit, self.now, first_byte=0.5, seconds=2.5, tokens=100)

    def fail(self, permit: Permit, *, is_providers: bool = False, is_repeat: bool = False) -> None:
        error = "connection refused" if is_providers else "status 500"
        self.book.fail(permit, self.now, error=error, is_providers=is_providers, is_repeat=is_repeat)

    def rest(self, permit: Permit, seconds: float | None = None, *, whole_provider: bool = False) -> None:
        self.book.rest(permit, self.now, seconds=seconds, error="status 429", whole_provider=whole_provider)

    def answers(self, offer: Offer) -> None:
        self.succeed(self.enter(offer))

    def fails(self, *offers: Offer, is_providers: bool = False) -> None:
        for offer in offers:
            self.fail(self.enter(offer), is_providers=is_providers)

    def state(self, offer: Offer) -> tuple[State, State]:
        """Of the provider and of the offer."""
        ((provider, (own,)),) = self.book.report([offer], self.now)
        return provider.state, own.state


def broken() -> Life:
    """The small offer has just opened."""
    life = Life()
    life.fails(SMALL, SMALL, SMALL)
    life.changes.clear()
    return life


def unreachable() -> Life:
    """The provider has just opened, by way of the small offer."""
    life = Life()
    life.fails(SMALL, SMALL, SMALL, is_providers=True)
    life.changes.clear()
    return life


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit"] * 5 + ["fail"] * 3 + ["unreachable"] * 2 + ["succeed", "rest", "release", "wait"]),
        st.integers(0, 50),
    ),
    max_size=80,
)


class _Visit(NamedTuple):
    """One attempt that was let in, and the things that it is to find out about."""

    permit: Permit
    probes: frozenset[str]
    until: float


class World(Life):
    """Does what hypothesis likes, and holds the book to what must always be true."""

    def __init__(self) -> None:
        super().__init__()
        self.offers = (SMALL, LARGE, OTHER)
        self.visits: list[_Visit] = []
        self.past: list[Permit] = []

    def live(self, steps: list[tuple[str, int]]) -> None:
        for action, number in steps:
            if action == "wait":
                self.now += number
            elif action == "admit":
                self._admit(self.offers[number % len(self.offers)])
            elif self.visits:
                self._tell(action, self.visits.pop(number % len(self.visits)).permit, number=number)
            self._check()

    def _admit(self, offer: Offer) -> None:
        is_marked = not self.book.troubled.isdisjoint((offer.id, offer.provider))
        trouble = self.book.trouble(offer, self.now)
        states = zip((offer.provider, offer.id), self.state(offer), strict=True)
        probes = frozenset(name for name, state in states if state is State.HALF_OPEN)
        assert is_marked or trouble is None

        permit = self.book.admit(offer, self.now, lease=LEASE)

        if trouble is not None and trouble.kind is not TroubleKind.HALF_OPEN:
            assert trouble == permit
            return
        assert isinstance(permit, Permit)
        assert permit.is_probe == (trouble is not None) == bool(probes)
        assert not any(visit.probes & probes for visit in self.visits if self.now < visit.until)
        self.visits.append(_Visit(permit, probes, self.now + LEASE))

    def _tell(self, action: str, permit: Permit, *, number: int) -> None:
        match action:
            case "succeed":
                self.succeed(permit)
            case "rest":
                self.rest(permit, (None, 5.0, 100.0)[number % 3], whole_provider=number % 2 == 0)
            case "release":
                self.book.release(permit)
            case _:
                self.fail(permit, is_providers=action == "unreachable", is_repeat=number % 5 == 0)
        self.past.append(permit)

    def _check(self) -> None:
        """What was told once is not heard again, and what is marked is what is troubled."""
        before = self._facts()
        for permit in self.past[-3:]:
            self.fail(permit, is_providers=True)
        assert before == self._facts()
        for offer in self.offers:
            assert (self.trouble(offer) is None) == (self.book.trouble(offer, self.now) is None)

    def _facts(self) -> object:
        return self.book.report(self.offers, self.now), set(self.book.troubled), dict(self.book.failure_rates)
