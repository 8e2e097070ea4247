"""The decision: which offers get a call, the best first, and why the others don't.

Qualify, then rank. A pool has sorted out what never qualifies for this kind
of request; here the rest is weighed for this one call: what its prompt and
answer will cost, what is still in the provider's cache, how the offer has
fared lately. The rank is by the cost of this call and of the turns that will
follow it there, so a conversation stays where its cache is as long as, and
only if, that is cheaper.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from operator import attrgetter
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.errors import AllResting, NoCandidate
from satisfice.health.book import Trouble, TroubleKind
from satisfice.routing.conversation import Thread
from satisfice.routing.cost import Candidate, Conditions, Costs, Estimate, estimate, writes_cache
from satisfice.routing.doubts import Doubts
from satisfice.routing.forecast import Expected, Kind
from satisfice.routing.order import drawn, rotated, spread
from satisfice.routing.policy import Strategy
from satisfice.routing.pool import Pool, Priced
from satisfice.routing.reasons import Exclusion, Reason
from satisfice.wire.request import Request

__all__ = ["Decision", "decide"]

_ENOUGH: Final = 20
"""Candidates of one call: as many as it could ever try."""
_FEW: Final = 32
"""Of so many offers each is weighed; of more, only those that by their list price may be among the first."""
_OF_ONE: Final = 10
"""Of so many offers it weighs at most so many of one provider, so that its outage leaves others."""
_ROUGHLY: Final = 0.9
"""What an offer really costs may be so much less than what its list price comes to, without a special reason."""
_CACHED: Final = 0.8
"""Of a prompt that was read before, before anything is known of the provider's cache."""
_EXPLORED: Final = 0.1
"""The share of calls that find out how fast an offer is, where that counts and isn't known."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Who gets a call, in which order, and why the others don't."""

    candidates: Sequence[Candidate]
    """At least one, the best first."""
    dropped: Sequence[Exclusion]
    """What qualified but not for this call; see `exclusions` for all."""
    pool: Pool
    kind: Kind
    expected: Mapping[ModelId, Expected]
    """Tokens, by model."""
    thread: Thread
    gave_way: Sequence[str] = ()
    """Policies that only advised, and would have left nobody."""

    def estimate(self, candidate: Candidate) -> Estimate | None:
        """What a candidate's call may cost, with its interval; None: its price is not known."""
        offer, cached, factor = candidate.offer, candidate.cached, candidate.factor
        if offer.price is None:
            return None
        expected, is_written = self.expected[offer.model], writes_cache(self.thread)
        return estimate(offer.price, expected, cached=cached, is_written=is_written, factor=factor)

    @property
    def exclusions(self) -> Sequence[Exclusion]:
        """All offers of what was asked for that don't get the call, with the reason."""
        return (*self.pool.excluded, *self.dropped)


def decide(request: Request, pool: Pool, *, thread: Thread, conditions: Conditions) -> Decision:
    """Candidates, the best first; those of unknown price last, for an unknown price is not a low one.

    `NoCandidate` if each offer is ruled out for this call, `AllResting` if that is because they have failed lately.
    """
    weighing = _Weighing(request, pool, thread=thread, conditions=conditions)
    candidates = weighing.candidates()
    if candidates:
        costs = weighing.costs
        return Decision(candidates, weighing.dropped, pool, costs.kind, costs.expected, thread)
    if pool.relaxed is not None:
        decision = decide(request, pool.relaxed, thread=thread, conditions=conditions)
        return replace(decision, gave_way=tuple(policy.name for policy in pool.applied.advisory))
    raise weighing.error()


class _Weighing:
    """One decision on its way."""

    __slots__ = (
        "_applied",
        "_aside",
        "_conditions",
        "_doubts",
        "_found",
        "_pool",
        "_probes",
        "_request",
        "_thread",
        "_unheard_of",
        "costs",
        "dropped",
    )

    def __init__(self, request: Request, pool: Pool, *, thread: Thread, conditions: Conditions) -> None:
        self._request = request
        self._pool = pool
        self._applied = pool.applied
        self._thread = thread
        self._conditions = conditions
        self.costs = Costs(request, thread, conditions=conditions)
        self._doubts: Doubts | None = None  # nobody's health is in doubt
        self._unheard_of: float | None = None  # latency doesn't count
        self._found: list[Candidate] = []
        self._probes = 0  # of those found
        self._aside: list[tuple[Offer, Price | None, Trouble]] = []  # not to be used now
        self.dropped: list[Exclusion] = []

    def candidates(self) -> Sequence[Candidate]:
        """Those that are well, in order, with those in doubt put where they can do no harm."""
        found, pool, conditions = self._found, self._pool, self._conditions
        strategy = self._applied.strategy
        if strategy is _LOWEST_LATENCY:
            self._unheard_of = 0.0 if conditions.chance() < _EXPLORED else math.inf
        if conditions.health.troubled:
            self._doubts = Doubts(conditions)
        look = self._weigh if self._doubts is None else self._look
        is_brief = strategy is _CHEAPEST and len(pool.offers) <= _FEW
        for offer, price in pool.offers if is_brief else self._in_turn():
            candidate = look(offer, price)
            if candidate is not None:
                found.append(candidate)
        if len(found) > 1:
            found = self._ranked(found)
        if pool.unpriced:
            found += self._unpriced()
        if self._aside and self._doubts is not None:
            found = found or self._waiting(self._doubts)
            reason = self._doubts.reason
            self.dropped += [Exclusion(offer, reason(offer, trouble)) for offer, _, trouble in self._aside]
        return found if len(found) <= _ENOUGH else found[:_ENOUGH]

    def error(self) -> AllResting | NoCandidate:
        """Why there is none."""
        reasons = [*self.dropped, *self._pool.excluded]
        story = "; ".join(f"{offer.id}: {reason.detail}" for offer, reason in reasons[:_TOLD])
        more = f"; and {len(reasons) - _TOLD} more" if len(reasons) > _TOLD else ""
        if self._aside:
            wait = min(trouble.until for _, _, trouble in self._aside) - self._conditions.now
            return AllResting(f"No offer of `{self._pool.asked}` is well: {story}{more}.", retry_after=max(0.0, wait))
        return NoCandidate(f"No offer of `{self._pool.asked}` qualifies: {story}{more}.", param="model")

    def _in_turn(self) -> Iterable[Priced]:
        """The offers with a price in the order in which they are looked at, as far as they may be candidates."""
        offers, applied, conditions = self._pool.offers, self._applied, self._conditions
        match applied.strategy:
            case Strategy.CHEAPEST:
                return self._cheapest_first()
            case Strategy.LOWEST_LATENCY:
                by_latency = sorted((priced for _, priced in self._by_cost()), key=self._seconds)
                return takewhile(self._needs_more, by_latency)
            case Strategy.ROUND_ROBIN:
                return takewhile(self._needs_more, rotated(offers, conditions.turn))
            case Strategy.WEIGHTED:
                by_cost = (priced for _, priced in self._by_cost())
                return takewhile(self._needs_more, drawn(by_cost, applied.weights, chance=conditions.chance))
            case _ as never:
                assert_never(never)

    def _needs_more(self, _: Priced) -> bool:
        return len(self._found) - self._probes < _ENOUGH

    def _cheapest_first(self) -> Iterator[Priced]:
        """Those that know the conversation, then by list price, as long as the next one may be the best."""
        found, by_id, warm = self._found, self._pool.by_id, self._thread.warm
        yield from (by_id[id_] for id_ in warm if id_ in by_id)
        best = min(map(_score, found), default=math.inf)
        counts: defaultdict[str, int] = defaultdict(int)
        for cost, priced in self._by_cost():
            if len(found) - self._probes >= _ENOUGH and cost * _ROUGHLY + 1.0 > best:
                return
            offer, before = priced.offer, len(found)
            if counts[offer.provider] < _OF_ONE and offer.id not in warm:
                yield priced
                for candidate in found[before:]:
                    counts[offer.provider] += 1
                    best = min(best, candidate.score)

    def _by_cost(self) -> Iterable[tuple[float, Priced]]:
        remaining = self._thread.remaining
        cached = _CACHED * remaining / (1.0 + remaining)
        return self._pool.by_cost(self._request, self.costs.kind, forecast=self._conditions.forecast, cached=cached)

    def _look(self, offer: Offer, price: Price | None) -> Candidate | None:
        """A candidate, if it can have this call now; who may have it later is put aside."""
        trouble = None if self._doubts is None else self._doubts.about(offer)
        if trouble is None:
            return self._weigh(offer, price)
        if trouble.kind is not TroubleKind.HALF_OPEN:
            self._aside.append((offer, price, trouble))
            return None
        candidate = self._weigh(offer, price) if self._probes < _ENOUGH else None
        if candidate is None:
            return None
        self._probes += 1
        return replace(candidate, is_probe=True)

    def _weigh(self, offer: Offer, price: Price | None) -> Candidate | None:
        """What an offer would cost, if it can have this call; why not is noted."""
        costs = self.costs
        expected = costs.expected.get(offer.model) or costs.tokens(offer.model)
        context = offer.capabilities.context
        if context is not None and expected.input > context:
            about = f"about {expected.input:,} tokens of prompt, and its window is {context:,}"
            self.dropped.append(Exclusion(offer, Reason("context", about)))
            return None
        if price is None:
            return Candidate(offer, None)
        candidate = costs.of(offer, price, expected=expected)
        limit = self._applied.max_msat_per_call
        if limit is not None and costs.high(candidate, price) > limit:
            about = f"one call in ten would cost more than the {limit:,} msat allowed"
            self.dropped.append(Exclusion(offer, Reason("call_cost", about)))
            return None
        failing = self._conditions.health.failure_rates
        if self._unheard_of is not None:
            return replace(candidate, score=self._seconds(Priced(offer, price)))
        if failing and offer.id in failing:
            # What fails costs as much again; and if that is nothing, at least the time.
            score = candidate.score
            return replace(candidate, score=score + failing[offer.id] * (score + 1.0))
        return candidate

    def _seconds(self, priced: Priced) -> float:
        """Until its answer is there, with what failing adds."""
        offer, conditions = priced.offer, self._conditions
        expected = self.costs.tokens(offer.model)
        seconds = conditions.health.latency(offer.id, expected.output, now=conditions.now)
        if seconds is None:
            return math.inf if self._unheard_of is None else self._unheard_of
        return seconds * (1.0 + conditions.health.failure_rates.get(offer.id, 0.0))

    def _ranked(self, found: list[Candidate]) -> list[Candidate]:
        """In their order. A probe is only the first attempt or a last resort, so that others can rescue the call."""
        applied = self._applied
        if applied.strategy is _CHEAPEST or applied.strategy is _LOWEST_LATENCY:
            found.sort(key=_score)
            if applied.spread:
                found = spread(found, _score, share=applied.spread, chance=self._conditions.chance)
        if self._probes:
            found = [*found[:1], *sorted(found[1:], key=_is_probe)]
        return found

    def _unpriced(self) -> list[Candidate]:
        """Those of unknown price that can have the call."""
        looked_at = (self._look(offer, None) for offer in self._pool.unpriced)
        found = islice((each for each in looked_at if each is not None), _ENOUGH)
        return sorted(found, key=_is_probe)

    def _waiting(self, doubts: Doubts) -> list[Candidate]:
        """Those put aside that will be usable soon; they stay aside if they could have the call but not so soon."""
        aside, self._aside = self._aside, []
        found: list[Candidate] = []
        for offer, price, trouble in aside:
            candidate = self._weigh(offer, price)
            if candidate is None:
                continue
            ready = doubts.ready(trouble)
            if ready is None:
                self._aside.append((offer, price, trouble))
            else:
                found.append(replace(candidate, ready=ready))
        return sorted(found, key=_when)


_TOLD: Final = 5
# In CPython 3.11 each look into an enumeration is a call of Python's.
_CHEAPEST: Final = Strategy.CHEAPEST
_LOWEST_LATENCY: Final = Strategy.LOWEST_LATENCY
_score: Final[Callable[[Candidate], float]] = attrgetter("score")
_is_probe: Final[Callable[[Candidate], bool]] = attrgetter("is_probe")


def _when(candidate: Candidate) -> tuple[bool, float, float]:
    """Those of unknown price last, then by when they are ready."""
    return candidate.cost is None, candidate.ready, candidate.score
