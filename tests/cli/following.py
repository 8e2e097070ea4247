"""A gateway that follows its file in the test's own process, and a log that can be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from satisfice.cli.events import Event
from satisfice.cli.hosting import Front, Host
from satisfice.cli.plan import Plan, plan
from satisfice.cli.reloading import Reloader, Settle, front_for
from satisfice.config.schema import ServerConfig
from satisfice.core.clock import SystemClock
from satisfice.engine.keeper import Keeper
from tests.cli.provider import Provider

__all__ = ["Notes", "Scene", "nothing", "reloading", "write"]

_Event = TypeVar("_Event")


def write(folder: Path, *providers: Provider, server: str = "", more: str = "") -> None:
    """A file with these providers, which sell what they list; the first is called `p0`."""
    tables = (
        f'[[providers]]\nname = "p{number}"\nurl = "{each.url}"\nfree = true\n' for number, each in enumerate(providers)
    )
    (folder / "satisfice.toml").write_text(f"[server]\n{server}\n{''.join(tables)}{more}")


class Notes:
    """A log that can be waited for."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self._news = asyncio.Event()

    def tell(self, event: Event) -> None:
        self._told.append(event)
        self._news.set()

    def hint(self, command: str, why: str) -> None: ...

    def close(self) -> None: ...

    async def heard(self, kind: type[_Event]) -> _Event:
        """The next event of this kind, once it is told."""
        async with asyncio.timeout(30.0):
            while True:
                event = await self._next()
                if isinstance(event, kind):
                    return event

    async def _next(self) -> Event:
        while not self._told:
            self._news.clear()
            await self._news.wait()
        return self._told.pop(0)


class Scene(Host):
    """A gateway that follows its file, in this process, where nobody can reach it."""

    def __init__(self, folder: Path, settle: Settle) -> None:
        made = plan(folder / "satisfice.toml", {})
        self.log = Notes()
        self.front = front_for(made, made.config.server, clock=SystemClock())
        self.keeper = Keeper(self.front.gateway.memory, None)
        self.reloader = Reloader(self.front, made, settle=settle, keeper=self.keeper, log=self.log)
        super().__init__(self.front, on_ready=nothing, on_stopping=nothing, on_call=lambda _job, _seen: None)

    def take(self, front: Front) -> None:
        super().take(front)
        self.front = front


def nothing() -> None:
    """Do nothing."""


def _as_written(made: Plan, _: str | None) -> ServerConfig:
    """The server's settings with nothing on the command line."""
    return made.config.server


@asynccontextmanager
async def reloading(folder: Path, settle: Settle = _as_written) -> AsyncIterator[Scene]:
    """A gateway in this process that looks at its file more often than usual."""
    scene = Scene(folder, settle)
    scene.front.gateway.start()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(scene.reloader.run(scene, nothing))
            yield scene
            running.cancel()
    finally:
        await scene.stop_gateways()
