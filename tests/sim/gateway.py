"""The real gateway in the simulated market: a transport that plays the market, callers who count, a loop without sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.catalog.listing import Listing
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.health.book import TroubleKind
from satisfice.ports import Endpoint, Timeouts
from satisfice.routing.policy import Asking, Policies
from satisfice.wire.openai_chat import OpenAIChat
from tests.engine.virtual_time import VirtualLoop
from tests.sim.market import PATIENCE, TICK, Fate, How, Market, Telling
from tests.sim.traffic import Ask, body_of

if TYPE_CHECKING:
    from satisfice.ports import Headers, Sending, Sink

_DIALECT: Final = OpenAIChat()
_ASKING: Final = Asking()
_CALL: Final = b"x-call"


class SimAnswer:
    """Fills `Answer` with a body that is there as a whole."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self, limit: int) -> bytes:
        return self._body

    async def chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def pump(self, sink: Sink) -> bool:
        return sink(self._body)

    def flow(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class SimTransport:
    """Fills `Transport` with the market."""

    def __init__(self, market: Market, asks: Sequence[Ask], *, clock: ManualClock) -> None:
        self.market = market
        self.asks = asks
        self.clock = clock
        self.begin = clock.now()
        self.attempts = [0] * len(asks)
        self.charged = [0] * len(asks)
        self.memory: Memory | None = None
        self.probes: Counter[str] = Counter()
        self.most_probes = 0
        self.all_probes = 0

    async def open(self, endpoint: Endpoint, sending: Sending) -> SimAnswer:
        number = int(sending.headers[0][1])
        ask = self.asks[number]
        place = self.market.places[endpoint.provider, ask.model]
        attempt = self.attempts[number]
        self.attempts[number] += 1
        now = self.clock.now() - self.begin
        fate = self.market.fate(place, now, ask=ask, attempt=attempt)
        name = f"{ask.model}@{endpoint.provider}"
        probe = self.probing(place)
        self.charged[number] += fate.charged
        if probe is not None:
            self.all_probes += 1
            self.probes[probe] += 1
            self.most_probes = max(self.most_probes, self.probes[probe])
        try:
            await asyncio.sleep(fate.seconds)
        finally:
            if probe is not None:
                self.probes[probe] -= 1
        return self._answer(fate, ask, place=place)

    def probing(self, place: int) -> str | None:
        health = self.memory.health
        offer = self.market.offers(0.0)[place]
        if offer.id not in health.troubled and offer.provider not in health.troubled:
            return None
        trouble = health.trouble(offer, self.clock.now())
        if trouble is None or trouble.kind is not TroubleKind.PROBING:
            return None
        return offer.id if trouble.scope == "offer" else offer.provider

    def _answer(self, fate: Fate, ask: Ask, *, place: int) -> SimAnswer:
        match fate.how:
            case How.ANSWERED:
                told = _told(self.market.seller(place).telling, fate.charged)
                usage = b'{"prompt_tokens":%d,"completion_tokens":%d%b}' % (ask.tokens_in, ask.tokens_out, told)
                return SimAnswer(200, (), b'{"choices":[{"message":{"content":"Yes."}}],"usage":%b}' % usage)
            case How.REFUSED:
                raise Broken(Break.REFUSED)
            case How.STALLED:
                raise Broken(Break.FIRST_BYTE_TIMEOUT)
            case How.LIMITED:
                return SimAnswer(429, ((b"retry-after", b"%d" % fate.retry_after),), b"{}")
            case How.FAILED:
                return SimAnswer(500, (), b"{}")

    async def aclose(self) -> None: ...


def _told(telling: Telling, charged: int) -> bytes:
    match telling:
        case Telling.AS_WE_DO:
            return b',"cost_msat":%d' % charged
        case Telling.AS_ROUTSTR:
            return b',"cost":{"total_msats":%d}' % charged
        case Telling.NOT:
            return b""


class SimCaller:
    """Fills `Downstream`."""

    __slots__ = ("status", "body")

    def __init__(self) -> None:
        self.status = 0

    def start(self, status: int, headers: Headers) -> None:
        self.status = status

    def write(self, data: bytes) -> bool:
        return True

    def end(self, data: bytes = b"") -> None:
        self.body = data

    async def drain(self) -> None: ...

    async def left(self) -> None:
        await asyncio.get_running_loop().create_future()


class Feed:
    name = "sim"
    period = TICK

    def __init__(self, market: Market, clock: ManualClock) -> None:
        self.market = market
        self.clock = clock
        self.begin = clock.now()

    async def fetch(self) -> Listing:
        return Listing(offers=self.market.offers(self.clock.now() - self.begin + 0.01))


class Result(msgspec.Struct):
    served: list[bool]
    attempts: list[int]
    charged: list[int]
    seconds: list[float]
    most_probes: int
    probes: int
    bodies: dict[int, bytes]


async def play(market: Market, asks: Sequence[Ask], memory_out=None) -> Result:
    loop = asyncio.get_running_loop()
    clock = loop.clock
    transport = SimTransport(market, asks, clock=clock)
    memory = Memory(clock)
    transport.memory = memory
    endpoints = {
        seller.name: Endpoint(
            provider=seller.name, url=f"sim://{seller.name}", timeouts=Timeouts(first_byte=PATIENCE, total=300.0)
        )
        for seller in market.sellers
    }
    gateway = Gateway(
        Supply((), endpoints, sources=(Feed(market, clock),)),
        Policies(),
        pacing=Pacing(Backoff(0.25, 8.0, chance=clock.chance), RetryBudget(0.2, 5.0), 4),
        transport=transport,
        clock=clock,
        memory=memory,
    )
    if memory_out is not None:
        memory_out.append((gateway, memory))
    result = Result([False] * len(asks), transport.attempts, transport.charged, [0.0] * len(asks), 0, 0, {})
    begin = clock.now()

    async def call(ask: Ask) -> None:
        await asyncio.sleep(begin + ask.at - clock.now())
        caller = SimCaller()
        started = clock.now()
        await gateway.answer(
            _DIALECT, body_of(ask), asking=_ASKING, headers=((_CALL, b"%d" % ask.number),), downstream=caller
        )
        result.served[ask.number] = caller.status == 200
        result.seconds[ask.number] = clock.now() - started
        if caller.status != 200:
            result.bodies[ask.number] = caller.body

    gateway.start()
    await gateway.refresher.has_looked.wait()
    async with asyncio.TaskGroup() as group:
        for ask in asks:
            wait = begin + ask.at - clock.now()
            if wait > 10.0:
                await asyncio.sleep(wait - 5.0)
            group.create_task(call(ask))
    await gateway.stop()
    result.most_probes = transport.most_probes
    result.probes = transport.all_probes
    return result


def run(market: Market, asks: Sequence[Ask], memory_out=None) -> Result:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(market, asks, memory_out))
