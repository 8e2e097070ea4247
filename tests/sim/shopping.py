"""The real gateway in the simulated market."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, assert_never

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.memory import Memory
from satisfice.health.breaker import State
from satisfice.routing.policy import Asking
from satisfice.wire.openai_chat import OpenAIChat
from tests.sim.books import Books
from tests.sim.loop import simulate
from tests.sim.market import PATIENCE, Fate, How, Market
from tests.sim.sellers import Telling
from tests.sim.stage import CALL, Caller, WholeAnswer, a_gateway, an_answer
from tests.sim.traffic import Ask, body_of

if TYPE_CHECKING:
    from satisfice.catalog.offers import Offer
    from satisfice.ports import Endpoint, Sending

__all__ = ["Probes", "shop"]

_DIALECT: Final = OpenAIChat()
_ASKING: Final = Asking()
_AN_ERROR: Final = b'{"error":{"message":"no"}}'


class Probes:
    """What breakers let through that were not closed, and what they should not have."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.made = 0
        self.most = 0
        """Under way at once, of one breaker."""
        self.too_early = 0
        """Attempts at what was to be left alone: its breaker was open, or it rested."""
        self._under_way: Counter[str] = Counter()

    def begin(self, names: Sequence[str]) -> None:
        """An attempt is the probe of these."""
        self.made += len(names)
        self._under_way.update(names)
        self.most = max((self.most, *(self._under_way[name] for name in names)))

    def end(self, names: Sequence[str]) -> None:
        """It is over."""
        self._under_way.subtract(names)


def shop(market: Market, asks: Sequence[Ask], *, seed: int) -> tuple[Books, Probes]:
    """Let the gateway have these calls."""
    clock = ManualClock(seed=seed)
    floor = _Floor(market, asks, clock=clock)
    simulate(clock, floor.play)
    return floor.books, floor.probes


class _Floor:
    """Fills `Transport` with the market, and sends the traffic through the gateway before it."""

    def __init__(self, market: Market, asks: Sequence[Ask], *, clock: ManualClock) -> None:
        self.books = Books(len(asks))
        self.probes = Probes()
        self._market = market
        self._asks = asks
        self._clock = clock
        self._begin = clock.now()
        self._memory = Memory(clock)
        self._gateway = a_gateway(self._offers, self, clock=clock, memory=self._memory, patience=PATIENCE)

    async def play(self) -> None:
        """All calls, each when its time has come."""
        self._gateway.start()
        await self._gateway.refresher.has_looked.wait()
        async with asyncio.TaskGroup() as group:
            for ask in self._asks:
                wait = ask.at - self._time()
                if wait > 0.0:
                    await asyncio.sleep(wait)
                group.create_task(self._call(ask))
        await self._gateway.stop()

    async def open(self, endpoint: Endpoint, sending: Sending) -> WholeAnswer:
        call = int(sending.headers[0][1])
        ask, time = self._asks[call], self._time()
        place = self._market.place(endpoint.provider, ask.model)
        fate = self._market.fate(place, time, ask=ask, attempt=self.books.attempts[call])
        probed = self._probed(self._market.offers(time)[place])
        self.probes.begin(probed)
        try:
            await asyncio.sleep(fate.seconds)
        except asyncio.CancelledError:
            self.books.cut(call, fate=fate)
            raise
        finally:
            self.probes.end(probed)
        self.books.note(call, place, fate=fate)
        return self._answer(fate, ask, telling=self._market.seller(place).telling)

    async def aclose(self) -> None: ...

    def _time(self) -> float:
        return self._clock.now() - self._begin

    def _offers(self) -> tuple[Offer, ...]:
        return self._market.offers(self._time())

    async def _call(self, ask: Ask) -> None:
        caller = Caller()
        headers = ((CALL, b"%d" % ask.number),)
        await self._gateway.answer(_DIALECT, body_of(ask), asking=_ASKING, headers=headers, downstream=caller)
        self.books.seconds[ask.number] = self._time() - ask.at
        assert self.books.served[ask.number] == (caller.status == 200), "who is served has an answer"

    def _probed(self, offer: Offer) -> list[str]:
        """Whose breakers are half-open: this attempt, which has been let in, is their probe."""
        health = self._memory.health
        if offer.id not in health.troubled and offer.provider not in health.troubled:
            return []
        (standing,) = health.report([offer], self._clock.now())
        pages = (standing.provider, *standing.offers)
        self.probes.too_early += any(each.state is State.OPEN or each.resting_until is not None for each in pages)
        return [each.name for each in pages if each.state is State.HALF_OPEN]

    def _answer(self, fate: Fate, ask: Ask, *, telling: Telling) -> WholeAnswer:
        match fate.how:
            case How.ANSWERED:
                counts = b'"prompt_tokens":%d,"completion_tokens":%d' % (ask.tokens_in, ask.tokens_out)
                return an_answer(counts, *_told(telling, fate.charged))
            case How.FAILED:
                return WholeAnswer(500, _AN_ERROR)
            case How.LIMITED:
                return WholeAnswer(429, _AN_ERROR, ((b"retry-after", b"%d" % fate.retry_after),))
            case How.REFUSED:
                raise Broken(Break.REFUSED)
            case How.STALLED:
                raise Broken(Break.FIRST_BYTE_TIMEOUT)
            case _ as never:
                assert_never(never)


def _told(telling: Telling, charged: int) -> tuple[bytes, ...]:
    match telling:
        case Telling.NOT:
            return ()
        case Telling.AS_WE_DO:
            return (b'"cost_msat":%d' % charged,)
        case Telling.AS_ROUTSTR:
            return (b'"cost":{"total_msats":%d}' % charged,)
        case _ as never:
            assert_never(never)
