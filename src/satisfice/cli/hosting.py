"""Runs a gateway behind its sockets until it is told to stop, then lets the open calls end."""

from __future__ import annotations

import asyncio
import gc
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
from satisfice.cli.log import Log, told_to
from satisfice.config.schema import ServerConfig
from satisfice.engine.gateway import Gateway
from satisfice.server.access import Access
from satisfice.server.app import App
from satisfice.server.protocol import CallerProtocol

__all__ = ["Front", "Host", "host", "run", "spare_the_collector"]


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
    beside: Callable[[], Awaitable[None]],
) -> None:
    """Serve a started gateway until a signal, and tell what happens.

    `ready` is told as soon as it's true; then `beside` runs until the end.
    """
    gateway, settings, _ = front
    clock = gateway.clock
    is_ready = asyncio.Event()

    def on_ready() -> None:
        log.tell(ready)
        is_ready.set()

    def on_stopping() -> None:
        open_calls = gateway.open_calls
        log.tell(Stopping(time_ms=clock.unix_ms(), open_calls=open_calls, seconds=settings.drain_timeout))

    async def run_beside() -> None:
        await is_ready.wait()
        await beside()

    gateway.on_call = lambda job, seen: log.tell(called(job, seen, now=clock.now(), unix_ms=clock.unix_ms()))
    headers = [("x-satisfice-demo", "1")] if ready.is_demo else []
    server = Host(front, on_ready=on_ready, on_stopping=on_stopping, headers=headers)
    with told_to(log, clock):
        async with asyncio.TaskGroup() as group:
            other = group.create_task(run_beside())
            await server.serve(sockets)
            other.cancel()
        log.tell(Stopped(time_ms=clock.unix_ms(), cut_calls=server.cut_calls))


def spare_the_collector() -> None:
    """What has been made so far lives as long as the process: to look at it again and again would only cost time.

    Calls make few cycles, so a collection may wait until there is something to find.
    """
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
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`headers` are added to every response."""
        gateway, settings, access = front
        app = App(gateway, access=access, max_body=settings.max_body_mib << 20)
        super().__init__(
            uvicorn.Config(
                app,
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
                timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
                headers=list(headers),
            )
        )
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cut: set[asyncio.Task[None]] = set()

    @property
    def cut_calls(self) -> int:
        """How many calls were not over in time."""
        return len(self._cut)

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

    def _cut_off(self) -> None:
        """End the open calls; each tells its caller that the answer is incomplete."""
        for task in self.server_state.tasks:
            self._cut.add(task)
            if not task.cancelling():
                task.cancel()


_KEEP_ALIVE: Final = 75
_LAST_WORDS: Final = 1.0
