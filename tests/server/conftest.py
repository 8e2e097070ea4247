"""Each way into the server, open as long as a test lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest

from satisfice.server.app import App
from tests.server.front import ASGIFront, Front, Host, SocketFront, config_for

__all__ = ["HostOpener", "Opener", "open_front", "open_host"]


class Opener(Protocol):
    """Puts a way in before an application."""

    async def __call__(self, app: App) -> Front:
        """The way in."""
        ...


class HostOpener(Protocol):
    """Starts a server."""

    async def __call__(self, app: App, *, timeout_keep_alive: float = 75) -> Host:
        """It is up."""
        ...


@pytest.fixture
async def open_host() -> AsyncIterator[HostOpener]:
    """A real server on a real socket, in the test's own loop."""
    async with AsyncExitStack() as stack:

        async def open_one(app: App, *, timeout_keep_alive: float = 75) -> Host:
            return await stack.enter_async_context(Host(config_for(app, timeout_keep_alive=timeout_keep_alive)))

        yield open_one


@pytest.fixture(params=["asgi", "slow asgi", "socket"])
def open_front(request: pytest.FixtureRequest, open_host: HostOpener) -> Opener:
    """All ways, one after the other: they must not differ."""

    async def open_one(app: App) -> Front:
        if request.param == "socket":
            return SocketFront(await open_host(app))
        return ASGIFront(app, is_slow=request.param == "slow asgi")

    return open_one
