"""Agents at work: conversations that grow turn by turn, and providers who keep what they have read for a while."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate, Usage
from satisfice.core.clock import ManualClock
from tests.sim.chance import lognormal

__all__ = ["LATENCY", "Agent", "Host", "Hosts", "Kept", "Turn", "agents", "used"]

LATENCY: Final = 4.0
"""Seconds that each answer takes, wherever it comes from."""

_AGENTS: Final = 8
_TURNS: Final = 40
_OPENING: Final = 6_000
"""Tokens that a conversation begins with: instructions, tools, the task."""
_FOUND: Final = 1_100
"""Tokens that a tool brings back, as the median; with an answer, 1,500 a turn."""
_ANSWER: Final = 300
_BYTES_PER_TOKEN: Final = 4.3
_PAUSES: Final = (13, 27)
"""Turns before which somebody has to look at it."""

_MODEL: Final = ModelId("sage")
_TICK: Final = 5.0
_QUOTE_EVERY: Final = 120.0
_DRIFT: Final = 0.05
_RETURN: Final = 0.5
"""How much of the way back to the middle a price goes with each quote, so that nobody is the cheapest for long."""
_BLOCK: Final = 128
_LEAST: Final = 1_024
"""Tokens of a prompt below which nothing is cached, and in which steps (as OpenAI does it)."""


class Turn(NamedTuple):
    """One call of an agent."""

    at: float
    """In seconds since the beginning."""
    tokens_in: int
    tokens_out: int
    body: bytes


class Agent(NamedTuple):
    """A conversation, whoever serves it."""

    number: int
    turns: Sequence[Turn]


class Host(NamedTuple):
    """A provider."""

    name: str
    level: float
    """Of its rates, against those of the others."""
    slant: float
    """By how much its output is dearer, and its input cheaper."""
    read: float
    """What a cached token costs, as a share of another one."""
    written: float | None
    """The same for one that is put into the cache; None: nothing is asked for that."""
    lifetime: float
    """Seconds that it keeps a prompt."""


_HOSTS: Final = (
    Host("acme", 1.00, 1.00, 0.10, None, 300.0),
    Host("bell", 1.02, 1.03, 0.10, 1.25, 300.0),
    Host("core", 0.99, 0.98, 0.20, None, 600.0),
    Host("dune", 1.00, 1.02, 0.25, None, 180.0),
    Host("echo", 1.01, 0.97, 0.10, None, 420.0),
    Host("fern", 0.98, 1.01, 0.25, None, 300.0),
    Host("glen", 1.00, 0.99, 0.10, 1.25, 240.0),
    Host("hill", 1.00, 1.00, 0.10, None, 300.0),
)


def agents(clock: ManualClock) -> Sequence[Agent]:
    """Some that work at the same time, each with a few pauses."""
    return tuple(Agent(number, _turns(number, clock)) for number in range(_AGENTS))


def _turns(number: int, clock: ManualClock) -> Sequence[Turn]:
    tools = '"tools":[{"type":"function","function":{"name":"look","description":"' + _words(1_500) + '"}}]'
    said = [_message("system", number, _words(3_500)), _message("user", number, _words(1_000))]
    time, tokens = 600.0 * clock.chance(), _OPENING
    turns = []
    for turn in range(_TURNS):
        body = f'{{"model":"{_MODEL}",{tools},"messages":[{",".join(said)}]}}'
        answer = max(20, round(lognormal(clock, _ANSWER, spread=0.6)))
        found = max(50, round(lognormal(clock, _FOUND, spread=0.5)))
        turns.append(Turn(time, tokens, answer, body.encode()))
        said += [_message("assistant", turn, _words(answer)), _message("tool", turn, _words(found))]
        tokens += answer + found
        time += LATENCY + 5.0 + 25.0 * clock.chance()
        if turn + 1 in _PAUSES:
            time += 300.0 + 900.0 * clock.chance()
    return turns


def _message(role: str, number: int, words: str) -> str:
    return f'{{"role":"{role}","content":"{number}: {words}"}}'


def _words(tokens: int) -> str:
    size = round(tokens * _BYTES_PER_TOKEN)
    return ("lazy dogs and quick brown foxes; " * (size // 33 + 1))[:size]


class Hosts:
    """All providers, with prices that move against each other. What they charge is what they quote."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        """Draw all prices of so many seconds."""
        self._offers = tuple(_quotes(clock, ticks=int(seconds / _TICK) + 1))
        self.places: Mapping[str, int] = {host.name: place for place, host in enumerate(_HOSTS)}
        """Where each stands among `offers`, by name."""

    def offers(self, time: float) -> tuple[Offer, ...]:
        """All offers at the prices quoted at this moment."""
        return self._offers[min(int(time / _TICK), len(self._offers) - 1)]

    def charge(self, place: int, time: float, *, usage: Usage) -> Msat:
        """What it takes for this usage."""
        price = self.offers(time)[place].price
        assert price is not None
        return price.cost(usage)


class Kept:
    """What the caches of all providers hold."""

    def __init__(self) -> None:
        """Nothing."""
        self._held: dict[tuple[int, int], tuple[int, float]] = {}

    def serve(self, place: int, agent: Agent, *, turn: Turn, time: float) -> Usage:
        """Answer a turn there: what it read before is cached if that isn't too long ago, and now it has read all."""
        tokens, at = self._held.get((place, agent.number), (0, -math.inf))
        self._held[place, agent.number] = (turn.tokens_in, time)
        return used(place, turn, known=tokens, gap=time - at)


def used(place: int, turn: Turn, *, known: int, gap: float) -> Usage:
    """What a turn takes there, where so many tokens of it were read so long ago."""
    host = _HOSTS[place]
    cached = known // _BLOCK * _BLOCK if gap <= host.lifetime and known >= _LEAST else 0
    fresh = turn.tokens_in - cached
    if host.written is None:
        return Usage(uncached=fresh, cache_read=cached, text=turn.tokens_out)
    return Usage(cache_write=fresh, cache_read=cached, text=turn.tokens_out)


def _quotes(clock: ManualClock, *, ticks: int) -> Iterator[tuple[Offer, ...]]:
    """All offers tick by tick."""
    moves = [0.0] * len(_HOSTS)
    due = [clock.chance() * _QUOTE_EVERY for _ in _HOSTS]
    for tick in range(ticks):
        for place in range(len(_HOSTS)):
            if due[place] <= tick * _TICK:
                due[place] += _QUOTE_EVERY * (0.75 + 0.5 * clock.chance())
                moves[place] = (1.0 - _RETURN) * moves[place] + math.log(lognormal(clock, 1.0, spread=_DRIFT))
        yield tuple(_offer(host, move) for host, move in zip(_HOSTS, moves, strict=True))


def _offer(host: Host, move: float) -> Offer:
    level = host.level * math.exp(move)
    rate = 3_000_000 * level / host.slant
    price = Price(
        input=Rate(round(rate)),
        output=Rate(round(15_000_000 * level * host.slant)),
        cache_read=Rate(round(rate * host.read)),
        cache_write=None if host.written is None else Rate(round(rate * host.written)),
    )
    return Offer(provider=host.name, model=_MODEL, upstream_model=_MODEL, price=price)
