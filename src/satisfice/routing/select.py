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
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.core.errors import AllResting, NoCandidate
from satisfice.health.book import HealthBook, Trouble, TroubleKind
from satisfice.routing.charges import Charges
from satisfice.routing.conversation import Conversations, Thread
from satisfice.routing.cost import Estimate, cost_of, estimate
from satisfice.routing.forecast import Expected, Forecast, Kind, kind_of
from satisfice.routing.policy import Strategy
from satisfice.routing.pool import Pool, Priced
from satisfice.routing.reasons import Exclusion, Reason
from satisfice.wire.request import Request

__all__ = ["Candidate", "Conditions", "Decision", "decide"]

_ENOUGH: Final = 20
"""Candidates of one call: as many as it could ever try."""


class Conditions(NamedTuple):
    """What a decision depends on besides the request and the pool. A decision changes none of it."""

    now: float
    """On the injected clock."""
    forecast: Forecast
    charges: Charges
    conversations: Conversations
    health: HealthBook
    chance: Callable[[], float]
    """Numbers in [0, 1), where a policy lets chance decide."""
    turn: int = 0
    """Which call this is, for who takes turns."""
    longest_wait: float = 10.0
    """Seconds that a call may wait for an offer that rests, if there is no other."""
    probe_wait: float = 3.0
    """Seconds that it may wait for another call's probe."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An offer that qualifies, with what it is expected to cost."""

    offer: Offer
    cost: Msat | None
    """For this call; None: its price is not known."""
    score: float = math.inf
    """What it is ranked by, the least first: msat a turn, or seconds where latency counts."""
    cached: int = 0
    """Tokens of the prompt that its cache is expected to serve."""
    factor: float = 1.0
    """What it has charged lately, as a share of its price."""
    ready: float = 0.0
    """Not before, on the injected clock."""
    is_probe: bool = False
    """It has failed lately, and this call would find out whether it is well again."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Who gets a call, in which order, and why the others don't."""

    candidates: Sequence[Candidate]
    """At least one, the best first."""
    dropped: Sequence[Exclusion]
    """What qualified but not for this call; see `exclusions` for all."""
    pool: Pool
    kind: Kind
    expected: dict[ModelId, Expected]
    """Tokens, by model."""
    thread: Thread

    def estimate(self, candidate: Candidate) -> Estimate | None:
        """What a candidate's call may cost, with its interval; None: its price is not known."""
        price, expected = candidate.offer.price, self.expected.get(candidate.offer.model)
        if price is None or expected is None:
            return None
        return estimate(
            price, expected, cached=candidate.cached, is_written=self.thread.turns > 0, factor=candidate.factor
        )

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
        return Decision(candidates, weighing.dropped, pool, weighing.kind, weighing.expected, thread)
    if pool.relaxed is not None:
        return decide(request, pool.relaxed, thread=thread, conditions=conditions)
    raise weighing.error()


class _Weighing:
    """One decision on its way."""

    __slots__ = (
        "_applied",
        "_by_latency",
        "_conditions",
        "_dropped_until",
        "_factor_of",
        "_failing_of",
        "_half_open",
        "_is_plain",
        "_is_written",
        "_pool",
        "_request",
        "_resting",
        "_thread",
        "_troubled",
        "_warm",
        "dropped",
        "expected",
        "kind",
    )

    def __init__(self, request: Request, pool: Pool, *, thread: Thread, conditions: Conditions) -> None:
        self._request = request
        self._pool = pool
        self._applied = pool.applied
        self._thread = thread
        self._warm = thread.warm
        self._is_written = thread.turns > 0
        self._conditions = conditions
        self._troubled = conditions.health.troubled
        self._factor_of = conditions.charges.factors.get
        self._failing_of = conditions.health.failure_rates.get
        applied = pool.applied
        self._by_latency = applied.strategy is Strategy.LOWEST_LATENCY
        self._is_plain = not (
            thread.warm
            or thread.remaining
            or self._is_written
            or self._by_latency
            or applied.max_msat_per_call is not None
        )
        self._half_open: list[Candidate] = []
        self._resting: list[Candidate] = []
        self._dropped_until = math.inf
        self.kind = kind_of(request)
        self.expected: dict[ModelId, Expected] = {}
        self.dropped: list[Exclusion] = []

    def candidates(self) -> list[Candidate]:
        """Those that are well, in order, with those in doubt put where they can do no harm."""
        weighed = (each for each in map(self._weigh, self._in_turn()) if each is not None)
        found = list(weighed if self._by_latency else islice(weighed, _ENOUGH))
        if len(found) > 1:
            self._rank(found)
        if self._half_open:
            found = self._with_doubtful(found)
        if not found and self._resting:
            found = sorted(self._resting, key=_when)
        if self._pool.unpriced:
            found += [Candidate(offer, None) for offer in self._pool.unpriced if self._is_well(offer)]
        return found

    def error(self) -> AllResting | NoCandidate:
        """Why there is none."""
        reasons = [*self._pool.excluded, *self.dropped]
        story = "; ".join(f"{offer.id}: {reason.detail}" for offer, reason in reasons[:_TOLD])
        more = f"; and {len(reasons) - _TOLD} more" if len(reasons) > _TOLD else ""
        if self._dropped_until < math.inf:
            wait = max(0.0, self._dropped_until - self._conditions.now)
            return AllResting(f"No offer of `{self._pool.asked}` is well: {story}{more}.", retry_after=wait)
        return NoCandidate(f"No offer of `{self._pool.asked}` qualifies: {story}{more}.", param="model")

    def _in_turn(self) -> Iterable[Priced]:
        """The offers in the order in which they are looked at; the first that qualify are the candidates."""
        pool, strategy = self._pool, self._applied.strategy
        offers = pool.offers
        if strategy is Strategy.ROUND_ROBIN and offers:
            start = self._conditions.turn % len(offers)
            return (*offers[start:], *offers[:start])
        if strategy is Strategy.WEIGHTED:
            return self._drawn(offers)
        if self._by_latency:
            return offers
        return pool.cheapest_first(self._request, self.kind, forecast=self._conditions.forecast, first=self._warm)

    def _drawn(self, offers: Sequence[Priced]) -> list[Priced]:
        """In an order by chance, the earlier the more weight a provider has (Efraimidis and Spirakis, 2006)."""
        weights = self._applied.weights
        chance = self._conditions.chance
        drawn = [
            (-math.log(1.0 - chance()) / weight, number)
            for number, (offer, _) in enumerate(offers)
            if (weight := weights.get(offer.provider, 1))
        ]
        return [offers[number] for _, number in sorted(drawn)]

    def _weigh(self, priced: Priced) -> Candidate | None:
        """What an offer would cost, if it can have this call; why not is noted."""
        offer, price = priced
        expected = self.expected.get(offer.model) or self._expect(offer.model)
        context = offer.capabilities.context
        if context is not None and expected[0] > context:
            self._drop(offer, "context", f"about {expected.input:,} tokens of prompt, and its window is {context:,}")
            return None
        factor = self._factor_of(offer.id, 1.0)
        if self._is_plain and not price.tiers:
            cost = factor * (price.base_fee - (-(expected[0] * price.input + expected[1] * price.output) // PER_MTOK))
            candidate = Candidate(offer, Msat(round(cost)), cost * (1.0 + self._failing_of(offer.id, 0.0)), 0, factor)
        else:
            found = self._weigh_closely(priced, expected, factor=factor)
            if found is None:
                return None
            candidate = found
        troubled = self._troubled
        if troubled and (offer.id in troubled or offer.provider in troubled):
            return self._doubt(candidate)
        return candidate

    def _weigh_closely(self, priced: Priced, expected: Expected, *, factor: float) -> Candidate | None:
        """The same with caches, turns to come, tiers and limits."""
        offer, price = priced
        conditions = self._conditions
        cached = 0
        if self._warm:
            cached = conditions.conversations.expected_cached(
                self._thread, offer, input_tokens=expected.input, now=conditions.now
            )
        limit = self._applied.max_msat_per_call
        if limit is not None and self._estimate(price, expected, cached=cached, factor=factor).high > limit:
            self._drop(offer, "call_cost", f"one call in ten would cost more than the {limit:,} msat allowed")
            return None
        cost = factor * cost_of(
            price, expected.input, cached=cached, tokens_out=expected.output, is_written=self._is_written
        )
        score = self._score(priced, cost, expected=expected, factor=factor)
        return Candidate(offer, Msat(round(cost)), score, cached, factor)

    def _expect(self, model: ModelId) -> Expected:
        expected = self._conditions.forecast.expect(self._request, model, kind=self.kind)
        self.expected[model] = expected
        return expected

    def _estimate(self, price: Price, expected: Expected, *, cached: int, factor: float) -> Estimate:
        return estimate(price, expected, cached=cached, is_written=self._is_written, factor=factor)

    def _score(self, priced: Priced, cost: float, *, expected: Expected, factor: float) -> float:
        """What to rank by: the cost of this turn and of those to come, each with what failing adds to it."""
        offer, conditions = priced.offer, self._conditions
        if self._by_latency:
            return conditions.health.latency(offer.id, expected.output, now=conditions.now) or 0.0
        remaining = self._thread.remaining
        if remaining:
            cost = (cost + remaining * factor * self._later(priced, expected)) / (1.0 + remaining)
        return cost * (1.0 + self._failing_of(offer.id, 0.0))

    def _later(self, priced: Priced, expected: Expected) -> int:
        """What a further turn would cost here: all that has been said so far is then as warm as it gets."""
        offer, price = priced
        said = expected.input + expected.output
        tokens_in = said + max(0, expected.input - self._thread.prefix)
        cached = self._conditions.conversations.kept(self._thread, offer, tokens=said)
        return cost_of(price, tokens_in, cached=cached, tokens_out=expected.output, is_written=True)

    def _drop(self, offer: Offer, code: str, detail: str) -> None:
        self.dropped.append(Exclusion(offer, Reason(code, detail)))

    def _doubt(self, candidate: Candidate) -> Candidate | None:
        """Something is the matter with it, or was lately."""
        conditions = self._conditions
        now = conditions.now
        trouble = conditions.health.trouble(candidate.offer, now)
        if trouble is None:
            return candidate
        match trouble.kind:
            case TroubleKind.HALF_OPEN:
                self._half_open.append(msgspec.structs.replace(candidate, is_probe=True))
                return None
            case TroubleKind.PROBING:
                ready = min(trouble.until, now + conditions.probe_wait)
                self._resting.append(msgspec.structs.replace(candidate, ready=ready))
            case TroubleKind.RESTING if trouble.until - now <= conditions.longest_wait:
                self._resting.append(msgspec.structs.replace(candidate, ready=trouble.until))
        self._dropped_until = min(self._dropped_until, trouble.until)
        self._drop(candidate.offer, trouble.kind.value, _in_words(trouble, now))
        return None

    def _is_well(self, offer: Offer) -> bool:
        trouble = self._conditions.health.trouble(offer, self._conditions.now)
        if trouble is None or trouble.kind is TroubleKind.HALF_OPEN:
            return True
        self._dropped_until = min(self._dropped_until, trouble.until)
        self._drop(offer, trouble.kind.value, _in_words(trouble, self._conditions.now))
        return False

    def _rank(self, found: list[Candidate]) -> None:
        """Sort, where the order is not the policy's already; equals stay in the catalog's order."""
        if self._applied.strategy in _ORDERED:
            return
        found.sort(key=_score)
        spread = self._applied.spread
        if spread:
            limit = found[0].score * (1.0 + spread)
            near = [each for each in found if each.score <= limit]
            found[: len(near)] = self._shuffled(near)

    def _shuffled(self, near: Sequence[Candidate]) -> list[Candidate]:
        """By chance, the cheaper the likelier, so that not all who decide alike go to the same one (RIP-06)."""
        chance = self._conditions.chance
        drawn = [(-math.log(1.0 - chance()) * each.score, number) for number, each in enumerate(near)]
        return [near[number] for _, number in sorted(drawn)]

    def _with_doubtful(self, found: list[Candidate]) -> list[Candidate]:
        """A probe goes first if it would be the best and another can rescue the call; else it is the last resort."""
        doubtful = sorted(self._half_open, key=_score)
        if found and doubtful[0].score < found[0].score:
            return [doubtful[0], *found, *doubtful[1:]]
        return [*found, *doubtful]


_TOLD: Final = 5
_ORDERED: Final = frozenset((Strategy.ROUND_ROBIN, Strategy.WEIGHTED))


def _score(candidate: Candidate) -> float:
    return candidate.score


def _when(candidate: Candidate) -> tuple[float, float]:
    return candidate.ready, candidate.score


def _in_words(trouble: Trouble, now: float) -> str:
    left = max(0.0, trouble.until - now)
    return f"{_TROUBLES[trouble.kind]} for another {left:.0f} s after: {trouble.error}"


_TROUBLES: Final = {
    TroubleKind.OPEN: "left alone",
    TroubleKind.PROBING: "being tried by another call,",
    TroubleKind.HALF_OPEN: "about to be tried",
    TroubleKind.RESTING: "resting",
}
