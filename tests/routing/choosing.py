"""Decisions as tests make them, and the troubles that offers may have before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from hypothesis import strategies as st

from satisfice.catalog.lessons import Lessons
from satisfice.catalog.offers import Catalog, Offer, OfferId, Price, Tier
from satisfice.core.amounts import Msat, Rate
from satisfice.core.clock import ManualClock
from satisfice.core.errors import NoCandidate
from satisfice.health.book import HealthBook, Permit
from satisfice.health.breaker import Limits
from satisfice.routing.charges import Charges
from satisfice.routing.conversation import NEW, Thread, Warm
from satisfice.routing.cost import Candidate, Conditions
from satisfice.routing.policy import NONE, Applied
from satisfice.routing.pool import Pools
from satisfice.routing.select import Decision, decide
from satisfice.wire.request import Request
from tests.build import a_request, an_offer, some_conditions

__all__ = [
    "MANY_PRICES",
    "NOW",
    "PRICES",
    "REQUESTS",
    "THREADS",
    "Health",
    "charging",
    "choose",
    "codes",
    "ids",
    "market",
    "providers",
    "raised",
]

NOW: Final = 1_000.0

_RATES: Final = st.integers(0, 10).map(lambda rate: Rate(rate * 300_000))
_MAYBE: Final = st.none() | _RATES
_TIERS: Final = st.builds(
    Tier, above=st.integers(0, 3_000), input=_RATES, output=_RATES, cache_read=_MAYBE, cache_write=_MAYBE
)
PRICES: Final = st.builds(
    Price,
    input=_RATES,
    output=_RATES,
    cache_read=_MAYBE,
    cache_write=_MAYBE,
    base_fee=st.integers(0, 3).map(lambda fee: Msat(fee * 500)),
    tiers=st.lists(_TIERS, max_size=2).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above))),
)
"""Few enough different rates that offers are often close to each other."""
MANY_PRICES: Final = st.lists(PRICES, min_size=3, max_size=6).map(
    lambda prices: [_raised(prices[number % len(prices)], 20_000 * number) for number in range(40)]
)
"""For pools of which not each offer is looked at."""
REQUESTS: Final = st.builds(
    a_request,
    prompt=st.integers(0, 20_000).map("x".__mul__),
    max_output=st.none() | st.integers(-1, 2_000) | st.just(10**400),
    choices=st.integers(0, 3) | st.just(10**400),
)
THREADS: Final = st.just(NEW) | st.builds(
    Thread,
    turns=st.integers(0, 20),
    remaining=st.floats(0.0, 50.0),
    prefix=st.integers(0, 6_000),
    warm=st.dictionaries(
        st.integers(0, 5).map(lambda number: OfferId(f"small@provider-{number:02}")),
        st.builds(Warm, tokens=st.integers(0, 6_000), at=st.floats(NOW - 500.0, NOW)),
        max_size=3,
    ),
)
"""Some of them have been at the first offers of a `market`."""


class Health:
    """A book of health in which one failure opens an offer's breaker for 30 s."""

    def __init__(self) -> None:
        self.book = HealthBook(Limits(failures=1), chance=lambda: 0.0)

    def after(self, seconds: float = 0.0, *, turn: int = 0) -> Conditions:
        """So much later."""
        return some_conditions(ManualClock(now=NOW + seconds), health=self.book, turn=turn)

    def fail(self, offer: Offer, now: float = NOW) -> None:
        self.book.fail(self.enter(offer, now), now, error="status 500", is_providers=False)

    def rest(self, offer: Offer, seconds: float, *, whole_provider: bool = False) -> None:
        permit = self.enter(offer)
        self.book.rest(permit, NOW, seconds=seconds, error="status 429", whole_provider=whole_provider)

    def succeed(self, offer: Offer, seconds: float, *, at: float = NOW) -> None:
        self.book.succeed(self.enter(offer, at), at, first_byte=seconds, seconds=seconds, tokens=10)

    def lose(self, *offers: Offer) -> None:
        """Two of a provider's offers can't be reached: the provider has failed."""
        for offer in offers:
            self.book.fail(self.enter(offer), NOW, error="no connection", is_providers=True)

    def enter(self, offer: Offer, now: float = NOW) -> Permit:
        permit = self.book.admit(offer, now, lease=20.0)
        assert isinstance(permit, Permit)
        return permit


def market(prices: Iterable[Price | None]) -> list[Offer]:
    """The model `small` of as many providers."""
    return [an_offer(f"provider-{number:02}", price=price) for number, price in enumerate(prices)]


def choose(
    offers: Iterable[Offer],
    request: Request | None = None,
    *,
    applied: Applied = NONE,
    thread: Thread = NEW,
    conditions: Conditions | None = None,
    allow_unpriced: bool = False,
) -> Decision:
    request = request or a_request()
    pool = Pools(Catalog(offers), Lessons(), allow_unpriced=allow_unpriced).find(
        request.model, applied, needs=request.needs
    )
    return decide(request, pool, thread=thread, conditions=conditions or some_conditions())


def providers(candidates: Iterable[Candidate]) -> list[str]:
    return [candidate.offer.provider for candidate in candidates]


def codes(decision: Decision) -> list[tuple[str, str]]:
    """Offers that don't get the call, with the code of the reason."""
    return [(offer.id, reason.code) for offer, reason in decision.exclusions]


def ids(
    offers: Iterable[Offer],
    request: Request,
    *,
    applied: Applied = NONE,
    thread: Thread = NEW,
    conditions: Conditions | None = None,
) -> list[OfferId]:
    """Of the candidates, those without a price among them; none if nobody qualifies."""
    try:
        decision = choose(offers, request, applied=applied, thread=thread, conditions=conditions, allow_unpriced=True)
    except NoCandidate:
        return []
    return [candidate.offer.id for candidate in decision.candidates]


def charging(offers: Iterable[Offer], factor: float) -> Charges:
    """What is known once these have charged so many times their price for long."""
    charges = Charges()
    for offer in offers:
        for _ in range(200):
            charges.note(offer, expected=Msat(1_000_000), charged=Msat(round(1_000_000 * factor)))
    return charges


def raised(price: Price, draw: Callable[[st.SearchStrategy[int]], int]) -> Price:
    """No rate of it is lower, and some may be higher."""
    return _with_rates(price, lambda rate: rate + 100_000 * draw(st.integers(0, 30)))


def _raised(price: Price, by: int) -> Price:
    return _with_rates(price, lambda rate: rate + by)


def _with_rates(price: Price, change: Callable[[int], int]) -> Price:
    changed = {name: _changed(getattr(price, name), change) for name in ("base_fee", *_RATE_NAMES)}
    tiers = tuple(
        msgspec.structs.replace(tier, **{name: _changed(getattr(tier, name), change) for name in _RATE_NAMES})
        for tier in price.tiers
    )
    return msgspec.structs.replace(price, tiers=tiers, **changed)


def _changed(rate: int | None, change: Callable[[int], int]) -> int | None:
    return None if rate is None else change(rate)


_RATE_NAMES: Final = ("input", "output", "cache_read", "cache_write")
