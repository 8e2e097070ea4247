"""Ways to serve agents: by the real gateway, and by what is common elsewhere."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from satisfice.core.amounts import Usage
from satisfice.core.clock import ManualClock
from satisfice.engine.memory import Memory
from satisfice.routing.policy import Asking
from satisfice.wire.openai_chat import OpenAIChat
from tests.sim.agents import LATENCY, Agent, Hosts, Kept, Turn, used
from tests.sim.loop import simulate
from tests.sim.stage import CALL, Caller, WholeAnswer, a_gateway, an_answer

if TYPE_CHECKING:
    from satisfice.catalog.offers import Offer
    from satisfice.ports import Endpoint, Sending

__all__ = ["Work", "by_gateway", "by_list_price", "by_staying", "in_hindsight"]

_DIALECT: Final = OpenAIChat()
_ASKING: Final = Asking()


class Work:
    """What serving some agents came to."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.cost = 0
        """In msat."""
        self.cached = 0
        """Tokens, and all that were read."""
        self.read = 0
        self.turns = 0
        self.switches = 0
        """Turns that another provider served than the one before."""
        self._last: dict[int, int] = {}

    def note(self, agent: Agent, place: int, *, usage: Usage, cost: int) -> None:
        """A turn has been served."""
        self.turns += 1
        self.cost += cost
        self.cached += usage.cache_read
        self.read += usage.input
        self.switches += self._last.get(agent.number, place) != place
        self._last[agent.number] = place


def by_list_price(hosts: Hosts, agents: Sequence[Agent]) -> Work:
    """Each call to whoever has the lowest price for it; that somebody knows the conversation counts for nothing."""
    return _by_rule(hosts, agents, lambda _, turn: _cheapest(hosts, turn))


def by_staying(hosts: Hosts, agents: Sequence[Agent]) -> Work:
    """Each conversation where it began, whatever becomes of prices."""
    return _by_rule(hosts, agents, lambda agent, _: _cheapest(hosts, agent.turns[0]))


def in_hindsight(hosts: Hosts, agents: Sequence[Agent]) -> Work:
    """By the best plan for who knows all turns and all prices beforehand, and never counts on coming back."""
    plans = {agent.number: dict(zip(agent.turns, _plan(hosts, agent), strict=True)) for agent in agents}
    return _by_rule(hosts, agents, lambda agent, turn: plans[agent.number][turn])


def _by_rule(hosts: Hosts, agents: Sequence[Agent], rule: Callable[[Agent, Turn], int]) -> Work:
    kept, work = Kept(), Work()
    turns = [(turn.at, agent.number, turn) for agent in agents for turn in agent.turns]
    for time, number, turn in sorted(turns, key=itemgetter(0, 1)):
        agent = agents[number]
        place = rule(agent, turn)
        usage = kept.serve(place, agent, turn=turn, time=time)
        work.note(agent, place, usage=usage, cost=hosts.charge(place, time, usage=usage))
    return work


def _cheapest(hosts: Hosts, turn: Turn) -> int:
    return min(hosts.places.values(), key=lambda place: _cold(hosts, place, turn))


def _cold(hosts: Hosts, place: int, turn: Turn) -> int:
    usage = Usage(uncached=turn.tokens_in, text=turn.tokens_out)
    return hosts.charge(place, turn.at, usage=usage)


def _plan(hosts: Hosts, agent: Agent) -> Sequence[int]:
    """Turn by turn the cheapest way to end up at each place: by staying there, or from the cheapest other one."""
    ways: dict[int, tuple[int, tuple[int, ...]]] = dict.fromkeys(hosts.places.values(), (0, ()))
    before = agent.turns[0]._replace(at=-math.inf)
    for turn in agent.turns:
        best = min(ways.values())
        ways = {
            place: min(
                _further(best, place, hosts.charge(place, turn.at, usage=used(place, turn, known=0, gap=0.0))),
                _further(way, place, _warm(hosts, place, turn=turn, before=before)),
            )
            for place, way in ways.items()
        }
        before = turn
    return min(ways.values())[1]


def _further(way: tuple[int, tuple[int, ...]], place: int, cost: int) -> tuple[int, tuple[int, ...]]:
    return way[0] + cost, (*way[1], place)


def _warm(hosts: Hosts, place: int, *, turn: Turn, before: Turn) -> int:
    usage = used(place, turn, known=before.tokens_in, gap=turn.at - before.at)
    return hosts.charge(place, turn.at, usage=usage)


def by_gateway(hosts: Hosts, agents: Sequence[Agent], *, seed: int) -> Work:
    """As the gateway chooses."""
    clock = ManualClock(seed=seed)
    office = _Office(hosts, agents, clock=clock)
    simulate(clock, office.play)
    return office.work


class _Office:
    """Fills `Transport` with the hosts, and lets the agents work through the gateway before it."""

    def __init__(self, hosts: Hosts, agents: Sequence[Agent], *, clock: ManualClock) -> None:
        self.work = Work()
        self._hosts = hosts
        self._agents = agents
        self._kept = Kept()
        self._clock = clock
        self._begin = clock.now()
        self._gateway = a_gateway(self._offers, self, clock=clock, memory=Memory(clock), patience=60.0)

    async def play(self) -> None:
        """All of them at the same time, each turn when its time has come."""
        self._gateway.start()
        await self._gateway.refresher.has_looked.wait()
        async with asyncio.TaskGroup() as group:
            for agent in self._agents:
                group.create_task(self._work(agent))
        await self._gateway.stop()

    async def open(self, endpoint: Endpoint, sending: Sending) -> WholeAnswer:
        number, _, turn = sending.headers[0][1].partition(b".")
        agent, place, time = self._agents[int(number)], self._hosts.places[endpoint.provider], self._time()
        usage = self._kept.serve(place, agent, turn=agent.turns[int(turn)], time=time)
        self.work.note(agent, place, usage=usage, cost=self._hosts.charge(place, time, usage=usage))
        await asyncio.sleep(LATENCY)
        details = b'"prompt_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d}'
        return an_answer(
            b'"prompt_tokens":%d,"completion_tokens":%d' % (usage.input, usage.output),
            details % (usage.cache_read, usage.cache_write),
        )

    async def aclose(self) -> None: ...

    def _time(self) -> float:
        return self._clock.now() - self._begin

    def _offers(self) -> tuple[Offer, ...]:
        return self._hosts.offers(self._time())

    async def _work(self, agent: Agent) -> None:
        for number, turn in enumerate(agent.turns):
            await asyncio.sleep(turn.at - self._time())
            caller = Caller()
            headers = ((CALL, b"%d.%d" % (agent.number, number)),)
            await self._gateway.answer(_DIALECT, turn.body, asking=_ASKING, headers=headers, downstream=caller)
            assert 200 == caller.status
