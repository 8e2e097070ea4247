"""Runs a gateway behind its sockets until it is told to stop, then lets the open calls end.

Another gateway can take its place meanwhile. The former one looks for no more
offers, but the calls that have come to it go on, and it is stopped when they
are over.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NamedTuple

import uvicorn

from satisfice.cli.events import Ready, Stopped, Stopping, called
from satisfice.cli.listening import BACKLOG
from satisfice.cli.log import Log
from satisfice.config.schema import ServerConfig
from satisfice.engine.attempt import Job
from satisfice.engine.driver import Seen
from satisfice.engine.gateway import Gateway
from satisfice.server.access import Access
from satisfice.server.app import App
from satisfice.server.protocol import CallerProtocol

__all__ = ["Front", "Host", "host", "run", "spare_the_collector"]

_log: Final = logging.getLogger(__name__)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run on the fastest loop there is."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


class Front(NamedTuple):
    """What callers meet."""

    gateway: Gateway
    settings: ServerConfig
    access: Access


async def host(
    front: Front,
    *,
    sockets: list[socket.socket],
    log: Log,
    ready: Ready,
    beside: Callable[[Host], Awaitable[None]],
    on_call: Callable[[], None] = lambda: None,
) -> None:
    """Serve a started gateway until a signal, tell what happens, and stop it.

    `ready` is told as soon as it's true; then `beside` runs until the signal comes. `on_call` is told that a call is
    over.
    """
    clock = front.gateway.clock
    is_ready = asyncio.Event()

    def on_ready() -> None:
        log.tell(ready)
        is_ready.set()

    def on_stopping() -> None:
        log.tell(Stopping(time_ms=clock.unix_ms(), open_calls=server.open_calls, seconds=server.drain_timeout))
        other.cancel()

    def on_end(job: Job, seen: Seen) -> None:
        on_call()
        log.tell(called(job, seen, now=clock.now(), unix_ms=clock.unix_ms()))

    async def run_beside() -> None:
        await is_ready.wait()
        try:
            await beside(server)
        except Exception as bug:
            _log.error("beside the calls: a bug of ours", exc_info=bug)

    headers = [("x-satisfice-demo", "1")] if ready.is_demo else []
    server = Host(front, on_ready=on_ready, on_stopping=on_stopping, on_call=on_end, headers=headers)
    try:
        async with asyncio.TaskGroup() as group:
            other = group.create_task(run_beside())
            await server.serve(sockets)
    finally:
        await server.stop_gateways()
    log.tell(Stopped(time_ms=clock.unix_ms(), cut_calls=server.cut_calls))


def spare_the_collector() -> None:
    """What has been made so far lives for long: to look at it again and again would only cost time.

    Calls make few cycles, so a collection may wait until there is something to find.
    """
    gc.unfreeze()  # what was spared before may be garbage by now
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


class Host(uvicorn.Server):
    """uvicorn's server, with an end of its own.

    The first signal lets the open calls end, for as long as the settings say;
    a second one, of either kind, cuts them off. Either way the process lives
    to tell, and to exit with a code of its own.
    """

    def __init__(
        self,
        front: Front,
        *,
        on_ready: Callable[[], None],
        on_stopping: Callable[[], None],
        on_call: Callable[[Job, Seen], None],
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`on_call` is told of each call once it is over; `headers` are added to every response."""
        self._on_call = on_call
        self._gateways: list[Gateway] = []
        self._app = App(front.gateway, access=front.access, max_body=front.settings.max_body_mib << 20)
        super().__init__(
            uvicorn.Config(
                self._app,
                http=CallerProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # what matters is told by our own log
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE,
                headers=list(headers),
            )
        )
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cut: set[asyncio.Task[None]] = set()
        self._admit(front)

    @property
    def open_calls(self) -> int:
        """How many calls are on their way, whichever gateway they came to."""
        return sum(gateway.open_calls for gateway in self._gateways)

    @property
    def cut_calls(self) -> int:
        """How many calls were not over in time."""
        return len(self._cut)

    def take(self, front: Front) -> None:
        """Serve this from now on. Calls that have begun go on as they were; let what was served before `drain`."""
        for gateway in self._gateways:
            gateway.refresher.stop()
        self._app.take(front.gateway, access=front.access, max_body=front.settings.max_body_mib << 20)
        self._admit(front)
        spare_the_collector()

    async def drain(self, gateway: Gateway) -> None:
        """Stop a gateway that is no longer served, once its calls are over."""
        while True:
            # Not at once, for a call whose body is still on its way has yet to come to it.
            await asyncio.sleep(_GRACE)
            if not gateway.open_calls:
                break
        await gateway.stop()
        self._gateways.remove(gateway)

    async def stop_gateways(self) -> None:
        """Stop what is served, and what was and has not been stopped yet."""
        for gateway in self._gateways:
            await gateway.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take calls, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        spare_the_collector()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more calls, wait for those that are open, and cut off those that go on too long."""
        self._on_stopping()
        await super().shutdown(sockets)
        self._cut_off()
        if self._cut:
            await asyncio.wait(self._cut, timeout=_LAST_WORDS)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not as uvicorn has it, which at the end sends itself each signal once more, and dies of it."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's signature
        """A signal to stop has come."""
        if self.should_exit and self._loop is not None:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._cut_off)
        self.should_exit = True

    def _admit(self, front: Front) -> None:
        self._gateways.append(front.gateway)
        front.gateway.on_call = self._on_call
        self.drain_timeout = front.settings.drain_timeout
        """Seconds that open calls may go on after the first signal."""
        self.config.timeout_graceful_shutdown = math.ceil(self.drain_timeout)

    def _cut_off(self) -> None:
        """End the open calls; each tells its caller that the answer is incomplete."""
        for task in self.server_state.tasks:
            self._cut.add(task)
            if not task.cancelling():
                task.cancel()


_GRACE: Final = 60.0
_KEEP_ALIVE: Final = 75
_LAST_WORDS: Final = 1.0
