"""An upstream that plays scripts: for the demo, which needs no network, and for tests, which need no clock.

Each answer has a timetable. What is due waits for its reader, as in the
buffer of a socket; beyond a high-water mark the upstream has to wait too, so
the rest of the timetable moves back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum, auto
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from weakref import WeakSet

from satisfice.core.errors import Break, Broken
from satisfice.transport import demo_model
from satisfice.transport.scenario import Scenario, ScriptedProvider
from satisfice.transport.script import CONNECTING, Head, Script
from satisfice.transport.timetable import Beat, timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from satisfice.core.clock import Clock, ManualClock
    from satisfice.ports import Endpoint, Headers, Sending, Sink

__all__ = ["Ending", "ScriptedAnswer", "ScriptedTransport", "Sent", "Sleep", "instant"]

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits so many seconds, and gives way to others even if they are none."""

_HIGH_WATER: Final = 65_536


class Ending(Enum):
    """How an answer came to its end."""

    OPEN = auto()
    """It hasn't yet."""
    ENDED = auto()
    """Its last byte is here; the connection could be kept."""
    BROKEN = auto()
    """As the script or a timeout would have it."""
    CLOSED = auto()
    """`close` was called before the end was at hand, so the connection was dropped."""
    ABORTED = auto()
    """`abort` was called, or the wait for the head was cancelled."""


class Sent(NamedTuple):
    """A request that came to an upstream."""

    provider: str
    sending: Sending


class ScriptedTransport:
    """Fills `Transport` with the providers of a scenario, or with scripts by provider."""

    def __init__(
        self,
        play: Scenario | Mapping[str, Script | Sequence[Script]],
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        memory: int = 100,
    ) -> None:
        """Several scripts are played in turn, the last of them again and again. `instant` gives a sleep for tests."""
        self.sent: deque[Sent] = deque(maxlen=memory)
        """The last requests, oldest first."""
        self.answers: deque[ScriptedAnswer] = deque(maxlen=memory)
        """What was played for each of them, so far."""
        providers = play.providers if isinstance(play, Scenario) else map(_provider, play.items())
        self._providers = {provider.name: provider for provider in providers}
        self._attempts: Counter[str] = Counter()
        self._clock = clock
        self._sleep = sleep
        self._alive: WeakSet[ScriptedAnswer] = WeakSet()

    async def open(self, endpoint: Endpoint, sending: Sending) -> ScriptedAnswer:
        """Play the provider's next script up to the head, or `Broken`."""
        beats = timetable(self._script(endpoint.provider, sending), lambda: self._demo(endpoint.provider, sending))
        answer = ScriptedAnswer(endpoint, sending, beats=beats, clock=self._clock, sleep=self._sleep)
        self.sent.append(Sent(endpoint.provider, sending))
        self.answers.append(answer)
        self._alive.add(answer)
        await answer.arrive()
        return answer

    async def aclose(self) -> None:
        """Abort what is still open."""
        for answer in tuple(self._alive):
            answer.abort()

    def _script(self, name: str, sending: Sending) -> Script:
        provider = self._providers.get(name)
        if provider is None:
            return Script().fault(Break.UNREACHABLE)
        if (sending.method, sending.path) == ("GET", demo_model.MODELS_PATH):
            return demo_model.list_models((offer.upstream_model for offer in provider.offers), self._clock, owner=name)
        self._attempts[name] += 1
        return provider.script(self._attempts[name] - 1)

    def _demo(self, name: str, sending: Sending) -> Script:
        return demo_model.answer(sending, self._clock, pace=self._providers[name].pace)


class ScriptedAnswer:
    """Fills `Answer` with a timetable, one piece at a time."""

    def __init__(
        self, endpoint: Endpoint, sending: Sending, *, beats: Iterator[Beat], clock: Clock, sleep: Sleep
    ) -> None:
        """Nothing has come yet; the timetable begins now."""
        self.ending = Ending.OPEN
        self.status = 0
        self.headers: Headers = ()
        self._timeouts = endpoint.timeouts
        self._expires_at = sending.expires_at
        self._beats = beats
        self._clock = clock
        self._sleep = sleep
        self._coming: Beat | None = None
        self._begun = self._at = self._heard = clock.now()
        self._flows = self._is_endless = False
        self._waiting = 0
        self._broken: Broken | None = None

    async def arrive(self) -> None:
        """Wait for the head, or `Broken`; if cancelled, as `abort`."""
        try:
            news = await self._next()
        except asyncio.CancelledError:
            self.abort()
            raise
        if not isinstance(news, Head):
            raise self._break(Break.MALFORMED if news else Break.CUT)
        self.status, self.headers = news

    async def read(self, limit: int) -> bytes:
        """The whole body, or `Broken(TOO_LARGE)` if it is over so many bytes."""
        body = bytearray()
        while piece := await self.chunk():
            body += piece
            if len(body) > limit:
                raise self._break(Break.TOO_LARGE)
        return bytes(body)

    async def chunk(self) -> bytes:
        """The next piece; empty at the end."""
        news = await self._next()
        if isinstance(news, Head):
            raise self._break(Break.MALFORMED)
        return news

    async def pump(self, sink: Sink) -> bool:
        """Hand each piece over when it is due, until the sink says no (then true) or the body ends (then false)."""
        while piece := await self.chunk():
            if not sink(piece):
                return True
        return False

    def flow(self, *, is_endless: bool = False) -> None:
        """The first output is here: from now on the idle timeout counts; `is_endless`: and no end while it goes on."""
        self._flows = True
        self._is_endless = is_endless
        self._heard = self._clock.now()

    def close(self) -> None:
        """Nothing more is wanted."""
        if self.ending is Ending.OPEN:
            coming = self._peek()
            is_over = coming.news == b"" and self._at + coming.pause <= self._clock.now()
            self.ending = Ending.ENDED if is_over else Ending.CLOSED

    def abort(self) -> None:
        """Stop at once."""
        if self.ending is Ending.OPEN:
            self.ending = Ending.ABORTED

    async def _next(self) -> Head | bytes:
        self._check_open()
        if self.ending is Ending.ENDED:
            return b""
        pause, news = self._peek()
        due = self._at + pause
        deadline, timeout = self._deadline(news)
        await self._sleep(max(0.0, min(due, deadline) - self._clock.now()))
        self._check_open()  # it may have been aborted meanwhile
        if due >= deadline:
            raise self._break(timeout)
        if isinstance(news, Break):
            raise self._break(news)
        self._coming = None
        self._take(news, due)
        return news

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self.ending in {Ending.CLOSED, Ending.ABORTED}:
            raise Broken(Break.CUT, "by our side")

    def _peek(self) -> Beat:
        """What comes next; it stays so until it has come, even if the wait for it is cancelled."""
        if self._coming is None:
            self._coming = next(self._beats)
        return self._coming

    def _deadline(self, news: Head | bytes | Break) -> tuple[float, Break]:
        timeouts = self._timeouts
        if news in CONNECTING:
            own = (self._begun + timeouts.connect, Break.CONNECT_TIMEOUT)
        elif self._flows:
            own = (self._heard + timeouts.idle, Break.IDLE_TIMEOUT)
        else:
            own = (self._begun + timeouts.first_byte, Break.FIRST_BYTE_TIMEOUT)
        return min(own, (self._expires_at, Break.TOTAL_TIMEOUT), key=itemgetter(0))

    def _take(self, news: Head | bytes, due: float) -> None:
        now = self._clock.now()
        self._waiting = self._waiting + len(news) if now > due else 0
        is_full = self._waiting > _HIGH_WATER
        if is_full:
            self._waiting = 0
        self._heard = self._at = now if is_full else due
        if self._is_endless:
            self._expires_at = max(self._expires_at, self._heard + self._timeouts.total)
        if not news:
            self.ending = Ending.ENDED

    def _break(self, kind: Break) -> Broken:
        self.ending = Ending.BROKEN
        self._broken = Broken(kind)
        return self._broken


def instant(clock: ManualClock) -> Sleep:
    """A sleep that takes no time: it moves the clock instead, and lets the other tasks run."""

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    return sleep


def _provider(part: tuple[str, Script | Sequence[Script]]) -> ScriptedProvider:
    name, scripts = part
    return ScriptedProvider(name, (scripts,) if isinstance(scripts, Script) else tuple(scripts))
