"""Puts a changed file of settings into force while calls go on: on SIGHUP, and when the file has changed.

A file that can't be used changes nothing. Of one that can be, another gateway
is made; when it has seen what its providers sell, it is given what the former
one has learnt, and takes its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from satisfice.cli.events import NotReloaded, Reloaded, flaw
from satisfice.cli.exits import Misconfigured
from satisfice.cli.hosting import Front, Host
from satisfice.cli.log import Log
from satisfice.cli.looking import look, watch
from satisfice.cli.plan import Plan
from satisfice.config.load import read
from satisfice.config.problems import Problem, summary
from satisfice.config.schema import ServerConfig
from satisfice.core.clock import Clock
from satisfice.engine.assembly import gateway_for, memory_for
from satisfice.engine.gateway import Gateway
from satisfice.engine.keeper import Keeper
from satisfice.server.access import Access
from satisfice.transport.client import HTTPTransport

__all__ = ["FileWatch", "Reloader", "Settle", "front_for"]

Settle = Callable[[Plan, str | None], ServerConfig]
"""The server's settings by a plan, or `Misconfigured`; for who listens already at this address."""

_PERIOD: Final = 1.0
_PATIENCE: Final = 5.0
_FIXED: Final = ("host", "port", "state_dir")
"""Settings of the server that hold for as long as it runs."""


def front_for(made: Plan, settings: ServerConfig, *, clock: Clock) -> Front:
    """What callers meet by this plan: a gateway that knows nothing yet, and is not started. Needs a running loop."""
    config = made.config
    transport = HTTPTransport(clock, os.environ)
    gateway = gateway_for(config, transport, clock=clock, memory=memory_for(config, clock), maybe=made.maybe)
    return Front(gateway, settings, Access(settings.access_token, {each.name: each.key for each in config.keys}))


class FileWatch:
    """Notices that a file has changed and is no longer being written."""

    def __init__(self, file: Path) -> None:
        """It is known as it is now."""
        self._file = file
        self.note()

    @property
    def is_pipe(self) -> bool:
        """There is nothing to wait for, and who opens it again may wait for ever."""
        return self._known is not None and stat.S_ISFIFO(self._known[0])

    def note(self) -> None:
        """It is about to be read."""
        self._last = self._known = _look(self._file)

    def has_changed(self) -> bool:
        """To be asked now and then: it is not as it is known, but as it was when this was asked last."""
        last, self._last = self._last, _look(self._file)
        return self._last == last != self._known


class Reloader:
    """Reads the file again when there is reason to, and tells what the providers have that are in force."""

    def __init__(self, front: Front, made: Plan, *, settle: Settle, keeper: Keeper, log: Log) -> None:
        """What is in force now. Needs a running loop; from here on SIGHUP doesn't end the process any more."""
        self._front = front
        self._made = made
        self._settle = settle
        self._keeper = keeper
        self._log = log
        self._watch = None if made.file is None else FileWatch(made.file)
        self._has_terminal = sys.stderr.isatty()
        self._hung_up = asyncio.Event()
        if hasattr(signal, "SIGHUP"):  # there is none on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hung_up.set)

    async def run(self, host: Host, hint: Callable[[], None]) -> None:
        """Go on until cancelled; `hint` is called once the providers have been asked for the first time."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell(hint))
            while True:
                await self._reason()
                former = self._front.gateway
                if await self._reload(host):
                    group.create_task(host.drain(former))
                    telling.cancel()
                    telling = group.create_task(self._tell())

    async def _tell(self, hint: Callable[[], None] = lambda: None) -> None:
        """Tell what the providers have, and what changes of that."""
        gateway, made = self._front.gateway, self._made
        await look(gateway, made, log=self._log)
        hint()
        await watch(gateway, made, log=self._log)

    async def _reason(self) -> None:
        """Wait until there is a reason to read the file again."""
        while True:
            try:
                async with asyncio.timeout(_PERIOD):
                    await self._hung_up.wait()
            except TimeoutError:
                if self._watch is not None and self._watch.has_changed():
                    return
            else:
                self._hung_up.clear()
                if not self._has_terminal or sys.stderr.isatty():
                    return
                # The terminal is closed that we were started from, and from which we could have been stopped.
                signal.raise_signal(signal.SIGTERM)

    async def _reload(self, host: Host) -> bool:
        """Read the file again; true if what it says is in force now."""
        clock, former = self._front.gateway.clock, self._front
        try:
            made, settings, warnings = await self._read()
        except _Refusal as refusal:
            file = None if self._made.file is None else str(self._made.file)
            flaws = tuple(map(flaw, refusal.problems))
            self._log.tell(NotReloaded(time_ms=clock.unix_ms(), config=file, reason=str(refusal), problems=flaws))
            return False
        front = front_for(made, settings, clock=clock)
        gateway = front.gateway
        try:
            await _begin(gateway)
            gateway.memory.follow(former.gateway.memory, gateway.catalog.offers)
        except BaseException:
            await gateway.stop()
            raise
        host.take(front)
        self._keeper.memory = gateway.memory
        fixed = {name: getattr(former.settings, name) for name in _FIXED}
        self._front = front._replace(settings=msgspec.structs.replace(settings, **fixed))
        self._made = made
        self._log.tell(
            Reloaded(
                time_ms=clock.unix_ms(),
                config=str(made.file),
                open_calls=host.open_calls,
                needs_restart=tuple(name for name, value in fixed.items() if getattr(settings, name) != value),
                problems=tuple(map(flaw, warnings)),
            )
        )
        return True

    async def _read(self) -> tuple[Plan, ServerConfig, Sequence[Problem]]:
        """What the file says now, and warnings; or `_Refusal`."""
        if self._made.file is None or self._watch is None:
            raise _Refusal("there is no configuration file")
        self._watch.note()
        if self._watch.is_pipe:
            raise _Refusal("it can be read only once")
        # In a thread, since a large file takes a moment.
        loaded = await asyncio.to_thread(read, self._made.file, os.environ)
        if loaded.config is None:
            raise _Refusal(summary(loaded.problems), loaded.problems)
        if not loaded.config.providers:  # as in one that was emptied to be written anew
            raise _Refusal("it names no provider", loaded.problems)
        made = self._made._replace(config=loaded.config)
        try:
            return made, self._settle(made, self._front.settings.host), loaded.problems
        except Misconfigured as error:
            raise _Refusal(error.message, loaded.problems) from error


class _Refusal(Exception):
    """The file can't be put into force."""

    def __init__(self, reason: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.problems = problems


async def _begin(gateway: Gateway) -> None:
    """Start it, and give its providers a moment to say what they have: before that it has fixed offers only."""
    gateway.start()
    try:
        async with asyncio.timeout(_PATIENCE):
            await gateway.refresher.has_looked.wait()
    except TimeoutError:
        pass


def _look(file: Path) -> tuple[int, int, int, int] | None:
    """Its mode, and what tells one state of a file from another; None: it isn't there."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino
